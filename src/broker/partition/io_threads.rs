//! Threads that wait for the disk in place of the network threads: for reads of records that are not in memory, and
//! for searches through index files.
//!
//! Work comes from requests, which are bounded, and holds next to nothing while it is queued; so the queue has no bound
//! of its own. The threads start when they are needed first.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

/// Reads that wait for the disk at the same time: what keeps a few disks busy.
const THREADS_MAX: usize = 4;

/// The threads and their work. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct IoThreads {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: Vec<JoinHandle<()>>,
    /// Threads without a job.
    idle: usize,
    ended: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("jobs", &self.jobs.len()).finish_non_exhaustive()
    }
}

/// The result of what an I/O thread does. It is done also when nobody waits for it any more.
#[derive(Debug)]
pub struct Pending<T>(oneshot::Receiver<T>);

/// The work was not done: the node stops, or it panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the I/O threads have ended")]
pub struct Ended;

impl<T> Future for Pending<T> {
    type Output = Result<T, Ended>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map_err(|_| Ended)
    }
}

impl IoThreads {
    /// Queues `job`, whether or not the answer is awaited.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Pending<T> {
        let (sender, receiver) = oneshot::channel();
        self.queue(Box::new(move || {
            // The request may have gone with its connection.
            let _ = sender.send(job());
        }));
        Pending(receiver)
    }

    /// Threads that were needed so far.
    pub fn started(&self) -> usize {
        self.shared.queue.lock().threads.len()
    }

    /// Ends the threads after the jobs they are at. What is queued is not done.
    pub fn stop(&self) {
        let threads = {
            let mut queue = self.shared.queue.lock();
            queue.ended = true;
            queue.jobs.clear();
            std::mem::take(&mut queue.threads)
        };
        self.shared.work.notify_all();
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("an I/O thread had panicked");
            }
        }
    }

    fn queue(&self, job: Job) {
        let mut queue = self.shared.queue.lock();
        if queue.ended {
            return;
        }
        queue.jobs.push_back(job);
        if queue.idle < queue.jobs.len() && queue.threads.len() < THREADS_MAX {
            self.start_thread(&mut queue);
        }
        drop(queue);
        self.shared.work.notify_one();
    }

    fn start_thread(&self, queue: &mut Queue) {
        let shared = Arc::clone(&self.shared);
        let name = format!("io-{}", queue.threads.len());
        match std::thread::Builder::new().name(name).spawn(move || shared.serve()) {
            Ok(thread) => queue.threads.push(thread),
            Err(error) if queue.threads.is_empty() => {
                tracing::error!("no thread for I/O is to be had: {error}");
                // Dropped, so that those who wait are told.
                queue.jobs.clear();
            }
            // The others do it.
            Err(_) => {}
        }
    }
}

impl Shared {
    fn serve(&self) {
        let mut queue = self.queue.lock();
        while !queue.ended {
            let Some(job) = queue.jobs.pop_front() else {
                queue.idle += 1;
                self.work.wait(&mut queue);
                queue.idle -= 1;
                continue;
            };
            drop(queue);
            if std::panic::catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("a read has failed inside the broker; see the error above");
            }
            queue = self.queue.lock();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[tokio::test]
    async fn jobs_run_side_by_side_on_threads_of_their_own() {
        let threads = IoThreads::default();
        let here = std::thread::current().id();
        // Each waits for the others: fewer threads would never finish.
        let barrier = Arc::new(Barrier::new(THREADS_MAX));
        let jobs: Vec<_> = (0..3 * THREADS_MAX)
            .map(|number| {
                let barrier = Arc::clone(&barrier);
                threads.run(move || {
                    barrier.wait();
                    (number, std::thread::current().id())
                })
            })
            .collect();
        for (number, job) in jobs.into_iter().enumerate() {
            let (answer, thread) = job.await.unwrap();
            assert_eq!(answer, number);
            assert_ne!(thread, here);
        }
        assert_eq!(threads.started(), THREADS_MAX);
        threads.stop();
    }

    #[tokio::test]
    async fn whoever_waits_learns_of_a_panic_and_of_the_end() {
        let threads = IoThreads::default();
        let mistake: Pending<()> = threads.run(|| panic!("a mistake"));
        assert_eq!(mistake.await, Err(Ended));
        assert_eq!(threads.run(|| 3).await, Ok(3), "the thread goes on");
        threads.stop();
        assert_eq!(threads.run(|| 4).await, Err(Ended));
    }
}
