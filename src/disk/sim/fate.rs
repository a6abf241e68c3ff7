//! What a power cut does to what was not synced.
//!
//! Every page and name meets its fate on its own, but a fair coin for each would hardly ever show the cases in
//! which much survives or much is lost, and these are the usual ones. So each cut first draws a mood, and the
//! mood sets the odds.

use super::dice::Dice;

/// What becomes of one un-synced page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The durable bytes are found, or zeros.
    Lost,
    /// The cached bytes are found.
    Kept,
    /// Each 512-byte sector is one of the two.
    Torn,
}

/// The odds of one power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutMood {
    /// Nothing that was not synced is found.
    AllLost,
    /// Everything is found, as if synced.
    AllKept,
    /// Nine in ten are found whole.
    MostKept,
    /// Nine in ten are lost.
    MostLost,
    /// Lost, kept and torn alike.
    Thirds,
    /// In each file the pages up to a point are found, the next is torn, the others are lost; names are even.
    Prefix,
    /// Each file, and the names, have a mood of their own.
    Mixed,
}

impl CutMood {
    /// Every mood.
    pub const ALL: [Self; 7] =
        [Self::AllLost, Self::AllKept, Self::MostKept, Self::MostLost, Self::Thirds, Self::Prefix, Self::Mixed];

    pub(super) fn draw(dice: &mut Dice) -> Self {
        match dice.below(12) {
            0 => Self::AllLost,
            1 => Self::AllKept,
            2 | 3 => Self::MostKept,
            4 | 5 => Self::MostLost,
            6 | 7 => Self::Thirds,
            8 | 9 => Self::Prefix,
            _ => Self::Mixed,
        }
    }

    /// The mood for one file, or for the names: itself, or when mixed one drawn anew.
    pub(super) fn of_part(self, dice: &mut Dice) -> Self {
        if self != Self::Mixed {
            return self;
        }
        match Self::draw(dice) {
            Self::Mixed => Self::Thirds,
            drawn => drawn,
        }
    }

    /// The fate of the `nth` un-synced page of a file, `prefix` of which come before the point that
    /// [`Self::Prefix`] keeps up to.
    pub(super) fn page(self, dice: &mut Dice, nth: u64, prefix: u64) -> Fate {
        let (lost, kept) = match self {
            Self::AllLost => (100, 0),
            Self::AllKept => (0, 100),
            Self::MostKept => (5, 90),
            Self::MostLost => (90, 5),
            Self::Thirds | Self::Mixed => (33, 33),
            Self::Prefix if nth < prefix => (0, 100),
            Self::Prefix if nth == prefix => (0, 0),
            Self::Prefix => (100, 0),
        };
        let roll = dice.below(100);
        if roll < lost {
            Fate::Lost
        } else if roll < lost + kept {
            Fate::Kept
        } else {
            Fate::Torn
        }
    }

    /// Whether a change of a name or of a length is found.
    pub(super) fn keeps_change(self, dice: &mut Dice) -> bool {
        let percent = match self {
            Self::AllLost => 0,
            Self::AllKept => 100,
            Self::MostKept => 90,
            Self::MostLost => 10,
            Self::Thirds | Self::Prefix | Self::Mixed => 50,
        };
        dice.percent(percent)
    }
}
