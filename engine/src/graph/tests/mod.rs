mod across;
mod by_hand;
mod kinds;
mod lines;
mod places;
mod typed;
mod yaml;
