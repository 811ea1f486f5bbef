mod by_hand;
mod kinds;
