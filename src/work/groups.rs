//! Which ids belong together: those that one report carries, and those that one order has.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::order::name::OrderId;

type Id = (String, OrderId);

/// Ids that turned out to belong to one order.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// The group of each id.
    group_of: BTreeMap<Id, usize>,
    /// The ids of each group, and the orders that they were found to belong to.
    groups: Vec<(Vec<Id>, Vec<Uuid>)>,
}

/// What became of the groups.
#[derive(Debug, Default)]
pub(super) struct Grouped {
    /// The order of each id.
    pub keys: BTreeMap<Id, Uuid>,
    /// Orders that turned out to be another, older one.
    pub merges: BTreeMap<Uuid, Uuid>,
    /// Orders that are new, and their sources.
    pub new: Vec<(Uuid, String)>,
}

impl Groups {
    /// Puts the ids of one report into one group, with all that they belong to already.
    pub(super) fn join<'a>(
        &mut self,
        ids: impl Iterator<Item = (&'a str, &'a OrderId)>,
        order_of: impl Fn(&str, &OrderId) -> Option<Uuid>,
    ) {
        let into = self.groups.len();
        self.groups.push((Vec::new(), Vec::new()));
        for (source, id) in ids {
            let id = (source.to_owned(), id.clone());
            match self.group_of.get(&id).copied() {
                Some(group) if group == into => {}
                Some(group) => {
                    let (ids, orders) = std::mem::take(&mut self.groups[group]);
                    for id in &ids {
                        self.group_of.insert(id.clone(), into);
                    }
                    self.groups[into].0.extend(ids);
                    self.groups[into].1.extend(orders);
                }
                None => {
                    // Another id of the same order may be in a group already.
                    if let Some(order) = order_of(&id.0, &id.1) {
                        self.groups[into].1.push(order);
                        self.swallow(order, into);
                    }
                    self.group_of.insert(id.clone(), into);
                    self.groups[into].0.push(id);
                }
            }
        }
    }

    /// Moves the group that has an order into another.
    fn swallow(&mut self, order: Uuid, into: usize) {
        let other = self.groups.iter().position(|(_, orders)| orders.contains(&order));
        let Some(other) = other.filter(|other| *other != into) else { return };
        let (ids, orders) = std::mem::take(&mut self.groups[other]);
        for id in &ids {
            self.group_of.insert(id.clone(), into);
        }
        self.groups[into].0.extend(ids);
        self.groups[into].1.extend(orders);
    }

    /// Gives each group its order: the oldest of those that were found, else a new one.
    pub(super) fn finish(self) -> Grouped {
        let mut grouped = Grouped::default();
        for (ids, orders) in self.groups {
            let Some((source, _)) = ids.first().cloned() else { continue };
            let key = orders.iter().min().copied().unwrap_or_else(|| {
                let key = Uuid::now_v7();
                grouped.new.push((key, source));
                key
            });
            for other in orders.into_iter().filter(|other| *other != key) {
                grouped.merges.insert(other, key);
            }
            grouped.keys.extend(ids.into_iter().map(|id| (id, key)));
        }
        grouped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> OrderId {
        OrderId::new(text).expect("an id")
    }

    fn group(reports: &[&[&str]], found: &[(&str, u128)]) -> Grouped {
        let mut groups = Groups::default();
        for report in reports {
            let ids: Vec<OrderId> = report.iter().map(|text| id(text)).collect();
            groups.join(ids.iter().map(|id| ("shop", id)), |_, id| {
                let known = found.iter().find(|(known, _)| *known == id.as_str());
                known.map(|(_, key)| Uuid::from_u128(*key))
            });
        }
        groups.finish()
    }

    fn key(grouped: &Grouped, text: &str) -> Uuid {
        grouped.keys[&("shop".to_owned(), id(text))]
    }

    #[test]
    fn ids_of_one_report_are_one_order_also_through_others() {
        let grouped = group(&[&["a", "b"], &["c", "d"], &["e"], &["d", "b"]], &[]);
        assert_eq!(grouped.new.len(), 2);
        assert_eq!(key(&grouped, "a"), key(&grouped, "c"));
        assert_ne!(key(&grouped, "a"), key(&grouped, "e"));
        assert!(grouped.merges.is_empty());
    }

    #[test]
    fn the_oldest_order_stays() {
        let grouped = group(&[&["a"], &["b"], &["a", "b", "new"]], &[("a", 7), ("b", 3)]);
        assert!(grouped.new.is_empty());
        assert_eq!(key(&grouped, "new"), Uuid::from_u128(3));
        assert_eq!(grouped.merges, BTreeMap::from([(Uuid::from_u128(7), Uuid::from_u128(3))]));
    }

    #[test]
    fn two_ids_of_one_order_in_two_reports_are_one_order() {
        let grouped = group(&[&["a", "x"], &["b", "y"]], &[("a", 3), ("b", 3)]);
        assert_eq!(key(&grouped, "x"), key(&grouped, "y"));
        assert!(grouped.merges.is_empty() && grouped.new.is_empty());
    }
}
