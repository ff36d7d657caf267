//! Which brokers get the replicas of new partitions (`StripedReplicaPlacer`): leaders are spread evenly over
//! the racks and over the brokers of each rack, replicas of one partition over as many racks as there are,
//! and fenced brokers come last and never lead.

use std::collections::BTreeMap;

use model::BrokerId;

use crate::image::Cluster;

/// Replicas of `partitions` new partitions, the preferred leader first. Equal seeds give equal placements.
pub(crate) fn place(
    cluster: &Cluster,
    partitions: usize,
    replication_factor: usize,
    seed: u64,
) -> Result<Vec<Vec<BrokerId>>, String> {
    let mut racks = Racks::new(cluster, seed);
    if replication_factor == 0 {
        return Err("Invalid replication factor 0: the replication factor must be positive.".to_owned());
    }
    if racks.unfenced == 0 {
        return Err("All brokers are currently fenced.".to_owned());
    }
    if replication_factor > racks.total {
        return Err(format!(
            "The target replication factor of {replication_factor} cannot be reached because only {} broker(s) \
             are registered.",
            racks.total
        ));
    }
    Ok((0..partitions).map(|_| racks.place(replication_factor)).collect())
}

/// Brokers that can take replicas: `(fenced, rack, id)`. One that is being stopped takes none, nor does one whose
/// directories are all cordoned.
pub(crate) fn usable(cluster: &Cluster) -> impl Iterator<Item = (bool, Option<&str>, BrokerId)> {
    cluster
        .brokers()
        .filter(|broker| (broker.fenced || !broker.in_controlled_shutdown) && broker.takes_replicas())
        .map(|broker| (broker.fenced, broker.rack.as_deref(), broker.id))
}

struct Racks {
    racks: Vec<Rack>,
    total: usize,
    unfenced: usize,
    /// Partitions placed since the last shuffle.
    epoch: usize,
    offset: usize,
    random: SplitMix,
}

#[derive(Default)]
struct Rack {
    unfenced: Ring,
    fenced: Ring,
}

/// Brokers of one rack, taken in turn; each partition starts one further on.
#[derive(Default)]
struct Ring {
    brokers: Vec<BrokerId>,
    taken: usize,
    offset: usize,
    epoch: usize,
}

impl Racks {
    fn new(cluster: &Cluster, seed: u64) -> Self {
        let mut random = SplitMix(seed);
        let mut by_name: BTreeMap<Option<&str>, Rack> = BTreeMap::new();
        let (mut total, mut unfenced) = (0, 0);
        for (is_fenced, rack, id) in usable(cluster) {
            let rack = by_name.entry(rack).or_default();
            total += 1;
            if is_fenced {
                rack.fenced.brokers.push(id);
            } else {
                unfenced += 1;
                rack.unfenced.brokers.push(id);
            }
        }
        let mut racks: Vec<Rack> = by_name.into_values().collect();
        for rack in &mut racks {
            for ring in [&mut rack.fenced, &mut rack.unfenced] {
                ring.offset = random.below(ring.brokers.len());
            }
        }
        let offset = random.below(racks.len());
        Self { racks, total, unfenced, epoch: 0, offset, random }
    }

    /// Needs an unfenced broker, and at least `replication_factor` brokers.
    fn place(&mut self, replication_factor: usize) -> Vec<BrokerId> {
        // When every broker has led once, a new order keeps the same sets of replicas from coming again.
        if self.epoch == self.unfenced && self.unfenced > 1 {
            self.shuffle();
            self.epoch = 0;
        }
        let count = self.racks.len();
        self.offset %= count;
        let epoch = self.epoch;
        let mut replicas = Vec::with_capacity(replication_factor);
        let mut leader_rack = None;
        for step in 0..count {
            let index = (self.offset + step) % count;
            if let Some(leader) = self.racks[index].unfenced.next(epoch) {
                replicas.push(leader);
                leader_rack = Some(index);
                break;
            }
        }
        let mut index = self.offset;
        while replicas.len() < replication_factor {
            // The leader's rack is passed over once: it has its replica.
            if leader_rack == Some(index) {
                leader_rack = None;
            } else {
                let rack = &mut self.racks[index];
                let next = rack.unfenced.next(epoch).or_else(|| rack.fenced.next(epoch));
                replicas.extend(next);
            }
            index = (index + 1) % count;
        }
        self.epoch += 1;
        self.offset += 1;
        replicas
    }

    fn shuffle(&mut self) {
        self.random.shuffle(&mut self.racks);
        for rack in &mut self.racks {
            self.random.shuffle(&mut rack.fenced.brokers);
            self.random.shuffle(&mut rack.unfenced.brokers);
        }
    }
}

impl Ring {
    fn next(&mut self, epoch: usize) -> Option<BrokerId> {
        let count = self.brokers.len();
        if count == 0 {
            return None;
        }
        if self.epoch != epoch {
            self.epoch = epoch;
            self.taken = 0;
            self.offset = (self.offset + 1) % count;
        }
        if self.taken >= count {
            return None;
        }
        let broker = self.brokers[(self.taken + self.offset) % count];
        self.taken += 1;
        Some(broker)
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): small, and the same on every machine.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, 0 for a bound of 0. The bias of the remainder is far below what placement needs.
    fn below(&mut self, bound: usize) -> usize {
        match bound {
            0 => 0,
            bound => (self.next() % bound as u64) as usize,
        }
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
