//! Load at a rate that does not wait for answers, and what came of it.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use millwork_engine::model::Fault;
use tokio::task::JoinSet;

/// Times, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    /// The least time that this share of all did not exceed.
    pub(super) fn share(&self, share: f64) -> Duration {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    pub(super) fn p50(&self) -> Duration {
        self.share(0.5)
    }

    pub(super) fn p99(&self) -> Duration {
        self.share(0.99)
    }

    pub(super) fn most(&self) -> Duration {
        self.share(1.0)
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort_unstable();
        Self(times)
    }
}

/// When the requests of a rate are to be sent, counted from the begin.
pub(super) fn schedule(rate: u32, length: Duration) -> impl Iterator<Item = Duration> {
    let many = (f64::from(rate) * length.as_secs_f64()) as u32;
    (0..many).map(move |n| Duration::from_secs(1) * n / rate.max(1))
}

/// Asks at a rate, whatever the answers do: who is late is measured from when it was its turn, as a user would who does
/// not know of the others. Which request, how long, and the answer.
pub(super) async fn open_loop<T, F>(
    rate: u32,
    length: Duration,
    ask: impl Fn(usize) -> F,
) -> Result<Vec<(usize, Duration, T)>, Fault>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Fault>> + Send + 'static,
{
    let begin = Instant::now();
    let mut asked = JoinSet::new();
    for (n, at) in schedule(rate, length).enumerate() {
        let due = begin + at;
        tokio::time::sleep_until(due.into()).await;
        let answer = ask(n);
        asked.spawn(async move {
            let answer = answer.await?;
            Ok::<_, Fault>((n, due.elapsed(), answer))
        });
    }
    let mut answers = Vec::new();
    while let Some(answer) = asked.join_next().await {
        answers.push(answer.map_err(|e| Fault::internal("bench.load", e.to_string()))??);
    }
    Ok(answers)
}

/// Runs a load generator, on two threads of its own.
pub(super) fn block_on<T>(future: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| Fault::external("cli.runtime", format!("no runtime can be started: {e}")))?;
    runtime.block_on(future)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_ranks() {
        let times: Times = (1..=200).rev().map(Duration::from_millis).collect();
        let ms = |share| times.share(share).as_millis();
        assert_eq!([ms(0.5), ms(0.99), ms(0.999), ms(1.0)], [100, 198, 200, 200]);
        let one: Times = [Duration::from_millis(7)].into_iter().collect();
        assert_eq!((one.p50(), one.p99()), (Duration::from_millis(7), Duration::from_millis(7)));
        assert_eq!(Times::default().p99(), Duration::ZERO);
    }

    #[test]
    fn a_rate_is_even() {
        let at: Vec<Duration> = schedule(200, Duration::from_secs(2)).collect();
        assert_eq!((at.len(), at[0], at[1]), (400, Duration::ZERO, Duration::from_millis(5)));
        assert!(at.windows(2).all(|pair| pair[0] + Duration::from_millis(5) == pair[1]));
    }

    #[tokio::test]
    async fn who_waits_for_others_is_late() {
        // One at a time, each of 20 ms, ten of them asked for at once or nearly so.
        let one = std::sync::Arc::new(tokio::sync::Mutex::new(()));
        let answers = open_loop(1000, Duration::from_millis(10), |_| {
            let one = one.clone();
            async move {
                let _held = one.lock().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(())
            }
        });
        let times: Times = answers.await.expect("answers").into_iter().map(|(_, took, ())| took).collect();
        assert_eq!(times.count(), 10);
        assert!(times.most() >= Duration::from_millis(150), "{:?}", times.most());
    }
}
