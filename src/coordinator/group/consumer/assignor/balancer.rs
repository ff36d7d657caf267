//! Picks who gives and who gets a partition (`UniformHeterogeneousAssignmentBuilder.MemberAssignmentBalancer`).

/// Two ranges over the members, sorted by how much they have: the least loaded at the front, from which the next
/// receiver is taken, and the most loaded towards the end, from which the next giver is taken. All members of a range
/// started with equally many partitions. Members that have nothing to give lie behind the second range.
pub(super) struct Balancer {
    members: Vec<usize>,
    /// The first range is `0..least_end`.
    least_end: usize,
    least_count: i64,
    next_least: usize,
    /// The second range is `most_start..most_end`.
    most_start: usize,
    most_end: usize,
    most_count: i64,
    /// One past the next giver.
    next_most: usize,
}

impl Balancer {
    /// Over `members`, of whom member `m` has `loads[m]` partitions; `None` without members.
    pub(super) fn new(members: &[usize], loads: &[i64]) -> Option<Self> {
        let mut members = members.to_vec();
        members.sort_by_key(|member| (loads[*member], *member));
        let (least, most) = (loads[*members.first()?], loads[*members.last()?]);
        let count = members.len();
        Some(Self {
            members,
            least_end: 0,
            least_count: least - 1,
            next_least: 0,
            most_start: count,
            most_end: count,
            most_count: most + 1,
            next_most: count,
        })
    }

    /// How many partitions more the most loaded member has than the least loaded one, at first.
    pub(super) fn imbalance(&self) -> i64 {
        (self.most_count - 1) - (self.least_count + 1)
    }

    /// The two ranges are level: moving a partition would not help.
    pub(super) fn is_balanced(&self) -> bool {
        self.most_count - self.least_count <= 1
    }

    /// Who shall get the next partition. The caller gives it one.
    pub(super) fn next_receiver(&mut self, loads: &[i64]) -> usize {
        if self.next_least >= self.least_end {
            // Each has got one: the range is one higher, and takes in those it has caught up with.
            self.least_count += 1;
            while self.members.get(self.least_end).is_some_and(|member| loads[*member] == self.least_count) {
                self.least_end += 1;
            }
            self.next_least = 0;
        }
        let member = self.members[self.next_least];
        self.next_least += 1;
        member
    }

    /// Who shall give a partition away. The caller takes one, or [`Self::exclude_giver`]s the member.
    pub(super) fn next_giver(&mut self, loads: &[i64]) -> Option<usize> {
        if self.next_most <= self.most_start {
            if self.most_end <= self.most_start && self.most_start > 0 {
                // Everybody in the range is excluded; it must grow now.
                self.most_count = loads[self.members[self.most_start - 1]];
            } else {
                self.most_count -= 1;
            }
            while self.most_start > 0 && loads[self.members[self.most_start - 1]] == self.most_count {
                self.most_start -= 1;
            }
            self.next_most = self.most_end;
        }
        self.next_most = self.next_most.checked_sub(1)?;
        Some(self.members[self.next_most])
    }

    /// The last giver has nothing to give.
    pub(super) fn exclude_giver(&mut self) {
        self.members.swap(self.next_most, self.most_end - 1);
        self.most_end -= 1;
    }
}
