//! A list of values that allocates only when it grows long.

/// Values in insertion order.
#[derive(Debug)]
pub(super) struct Few<T> {
    first: [T; INLINE],
    count: usize,
    /// Values after the first `INLINE` ones.
    more: Vec<T>,
}

const INLINE: usize = 6;

impl<T: Copy + Default> Default for Few<T> {
    fn default() -> Self {
        Self {
            first: [T::default(); INLINE],
            count: 0,
            more: Vec::new(),
        }
    }
}

impl<T: Copy> Few<T> {
    pub(super) fn push(&mut self, value: T) {
        match self.first.get_mut(self.count) {
            Some(place) => {
                *place = value;
                self.count += 1;
            }
            None => self.more.push(value),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Calls `take` with all values in one slice.
    pub(super) fn with_slice<R>(&self, take: impl FnOnce(&[T]) -> R) -> R {
        if self.more.is_empty() {
            return take(self.first.get(..self.count).unwrap_or_default());
        }
        take(&self.iter().collect::<Vec<_>>())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = T> {
        self.first
            .iter()
            .take(self.count)
            .chain(&self.more)
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_keeps_its_order() {
        let mut few = Few::default();
        assert!(few.is_empty());
        (0..20).for_each(|value| few.push(value));
        assert!(few.iter().eq(0..20) && !few.is_empty());
        few.with_slice(|all| assert!(all.iter().copied().eq(0..20)));
    }

    #[test]
    fn a_short_list_is_in_one_piece() {
        let mut few = Few::default();
        (0..INLINE).for_each(|value| few.push(value));
        few.with_slice(|all| assert!(all.iter().copied().eq(0..INLINE)));
    }
}
