use storage::disk_mem::MemoryDisk;

use super::*;
use crate::partition::test_support::{Reports, config, still_registry};

#[test]
fn those_who_ask_for_checkpoints_do_not_keep_the_rest_from_being_done() {
    let clock = Clock::virtual_at(0);
    let registry = still_registry(&MemoryDisk::new(), &Reports::default());
    let housekeeper = Housekeeper::new(&config(&[]), clock.clone());
    let mut schedule = housekeeper.schedule();
    let Clock::Virtual(hands) = &clock else { unreachable!("made above") };
    hands.advance(Duration::from_mins(10));
    let (mut answered, mut performed) = (0, 0);
    for _ in 0..2 * schedule.len() {
        let (done, _) = oneshot::channel();
        housekeeper.state.lock().asked.push(Asked { dir: Arc::clone(&registry.dirs()[0]), done });
        match housekeeper.next(&mut schedule) {
            Some(Work::Asked(asked)) => answered += asked.len(),
            Some(Work::Due(_)) => performed += 1,
            None => unreachable!("nobody has stopped it"),
        }
    }
    assert_eq!(performed, schedule.len(), "every task has had its turn");
    assert_eq!(answered, 2 * schedule.len() - 1, "and all who asked have their answer, but the last");
}
