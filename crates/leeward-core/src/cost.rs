//! What a copy in another Region costs, as far as it can be said: a pure function of a plan, what was measured of the
//! source, and a dated list of prices. What is not known is said to be unknown; nothing is guessed, and nothing is fetched.

mod prices;

use serde::Serialize;

use crate::measure;
use crate::plan::Plan;
use crate::server::Observed;
use crate::survey::Survey;
pub use prices::{Place, Prices};

/// Bytes of what AWS bills as a GB.
const GB: f64 = (1u64 << 30) as f64;

/// Hours of a month, as AWS calculates.
const MONTH_HOURS: f64 = 730.0;

/// Days of a month: 730 hours.
const MONTH_DAYS: f64 = MONTH_HOURS / 24.0;

/// Seconds of a day.
const DAY_S: f64 = 86_400.0;

/// The least time over which writes must have been counted to say something of a day.
const COUNTED_S_MIN: u64 = 3_600;

/// The engine's task: what a copy and its cycles need of memory is far less, but Fargate has no smaller size with one vCPU.
const TASK: (f64, f64) = (1.0, 2.0);

/// What the copy costs.
#[must_use = "an estimate is there to be read"]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// The day of the prices.
    pub prices_of: String,
    /// The source's Region, where it is known.
    pub from: Option<String>,
    /// The target's Region, where it is known.
    pub to: Option<String>,
    /// Everything that costs something.
    pub items: Vec<Item>,
    /// What a replica of the server's own would cost beside it.
    pub replica: String,
}

/// One thing that costs something.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// What it is.
    pub what: &'static str,
    /// How much of it, and where the figure comes from.
    pub amount: String,
    /// US dollars; nothing where a price or an amount is unknown.
    pub usd: Option<f64>,
    /// How often that is due.
    pub due: Due,
}

/// How often an amount is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// Once.
    Once,
    /// Every day.
    Daily,
    /// Every month of 730 hours.
    Monthly,
}

impl Due {
    fn words(self) -> &'static str {
        match self {
            Due::Once => "once",
            Due::Daily => "a day",
            Due::Monthly => "a month",
        }
    }
}

/// Estimates what a plan costs, from what the survey saw.
pub fn estimate(plan: &Plan, survey: &Survey, place: &Place, prices: &Prices) -> Estimate {
    let per_gb = prices.transfer(place);
    let transferred = |bytes: f64| per_gb.map(|usd| bytes / GB * usd);
    let seed_bytes: u64 = plan.tables.iter().map(|table| table.data_bytes).sum();
    let day = day_bytes(plan, survey);
    let (vcpus, memory_gb) = TASK;
    let items = vec![
        Item {
            what: "transfer for the seed",
            amount: format!("{} of rows, before compression", measure::size(seed_bytes)),
            usd: transferred(seed_bytes as f64),
            due: Due::Once,
        },
        Item {
            what: "transfer for changes",
            amount: day.words(),
            usd: day.bytes.and_then(transferred),
            due: Due::Daily,
        },
        Item {
            what: "target instance",
            amount: place.target_class.clone().unwrap_or_else(|| "class unknown: name it in the prices".to_owned()),
            usd: prices.instance_hour(place).map(|usd| usd * MONTH_HOURS),
            due: Due::Monthly,
        },
        Item {
            what: "target storage",
            amount: match place.target_storage_gb {
                Some(gb) => format!("{} GB (gp3)", measure::count(gb)),
                None => "size unknown: name it in the prices".to_owned(),
            },
            usd: place.target_storage_gb.zip(prices.storage_gb_month(place)).map(|(gb, usd)| gb as f64 * usd),
            due: Due::Monthly,
        },
        Item {
            what: "engine task",
            amount: format!("Fargate, {vcpus} vCPU and {memory_gb} GB, all the time"),
            usd: prices.task_hour(place, TASK).map(|usd| usd * MONTH_HOURS),
            due: Due::Monthly,
        },
    ];
    Estimate {
        prices_of: prices.date.clone(),
        from: place.source_region.clone(),
        to: place.target_region.clone(),
        items,
        replica:
            "a native replica of the same class would cost the same instance, storage and transfer, and no engine task"
                .to_owned(),
    }
}

/// Bytes of rows that change in a day.
struct Day {
    bytes: Option<f64>,
    /// Tables of which it is not known.
    unknown: usize,
    tables: usize,
}

impl Day {
    fn words(&self) -> String {
        match (self.bytes, self.unknown) {
            (None, _) => "unknown: the source counts no writes by table".to_owned(),
            (Some(bytes), 0) => format!("about {} of changed rows a day, by the source's counters", size(bytes)),
            (Some(bytes), unknown) => format!(
                "at least {} of changed rows a day, by the source's counters; unknown of {unknown} of {}",
                size(bytes),
                measure::counted(self.tables as u64, "table")
            ),
        }
    }
}

fn size(bytes: f64) -> String {
    measure::size(bytes as u64)
}

/// Returns how much changes in a day: what was counted since the source was started, at each table's mean row. A deleted row
/// sends nothing but its key.
fn day_bytes(plan: &Plan, survey: &Survey) -> Day {
    let mut day = Day { bytes: None, unknown: 0, tables: plan.tables.len() };
    for table in &plan.tables {
        let seen = survey.tables.iter().find(|seen| seen.table.name == *table.name());
        match seen.map(|seen| &seen.writes) {
            Some(Observed::Known(writes)) if writes.over_seconds >= COUNTED_S_MIN => {
                let rows = (writes.inserts + writes.updates) as f64;
                let bytes = rows * table.row_bytes() as f64 / writes.over_seconds as f64 * DAY_S;
                day.bytes = Some(day.bytes.unwrap_or(0.0) + bytes);
            }
            _ => day.unknown += 1,
        }
    }
    day
}

impl Estimate {
    /// Returns what is known to be due in a month, and whether that is all.
    pub fn monthly(&self) -> (f64, bool) {
        let due = |item: &Item| match item.due {
            Due::Once => Some(0.0),
            Due::Daily => item.usd.map(|usd| usd * MONTH_DAYS),
            Due::Monthly => item.usd,
        };
        let known = self.items.iter().filter_map(due).sum();
        (known, self.items.iter().all(|item| due(item).is_some()))
    }

    /// Returns it as text, ending in a line break.
    pub fn text(&self) -> String {
        let region = |region: &Option<String>| region.clone().unwrap_or_else(|| "an unknown Region".to_owned());
        let mut lines =
            vec![format!("Cost, at prices of {} ({} to {}):", self.prices_of, region(&self.from), region(&self.to))];
        for item in &self.items {
            let usd = item.usd.map_or("unknown".to_owned(), |usd| format!("about {} {}", money(usd), item.due.words()));
            lines.push(format!("  {:22} {:22} {}", item.what, usd, item.amount));
        }
        let (usd, is_all) = self.monthly();
        let more = if is_all { "" } else { ", and what is unknown above" };
        lines.push(format!("  {:22} {}{more}", "a month", money(usd)));
        lines.push(format!("  {}.", self.replica));
        lines.join("\n") + "\n"
    }
}

/// Returns an amount of US dollars, with more digits where it is small.
pub fn money(usd: f64) -> String {
    match usd {
        0.0 => "$0".to_owned(),
        small if small < 0.01 => "less than $0.01".to_owned(),
        usd => format!("${usd:.2}"),
    }
}

/// Says what bytes have cost that were read from the source in another Region.
pub fn of_transfer(bytes: u64, place: &Place, prices: &Prices) -> String {
    match (&place.source_region, &place.target_region, prices.transfer(place)) {
        (Some(from), Some(to), _) if from == to => {
            format!("within {from}, where transfer between Regions costs nothing")
        }
        (Some(from), Some(to), Some(per_gb)) => format!(
            "about {} at ${per_gb}/GB (prices of {}, {from} to {to})",
            money(bytes as f64 / GB * per_gb),
            prices.date
        ),
        (Some(from), Some(to), None) => {
            format!("price unknown: the prices of {} do not hold {from} to {to}", prices.date)
        }
        _ => "price unknown: the servers' names do not say their Regions (name them in --prices)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(from: &str, to: &str) -> Place {
        Place { source_region: Some(from.into()), target_region: Some(to.into()), ..Place::default() }
    }

    #[test]
    fn a_transfer_is_priced_with_its_day_or_said_to_be_unknown() {
        let prices = Prices::builtin();
        let bytes = 4_402_341_478; // 4.1 GiB
        assert_eq!(
            of_transfer(bytes, &place("us-east-1", "us-west-2"), &prices),
            "about $0.08 at $0.02/GB (prices of 2026-06-01, us-east-1 to us-west-2)"
        );
        let unknown = of_transfer(bytes, &place("sa-east-1", "us-west-2"), &prices);
        assert!(unknown.starts_with("price unknown") && unknown.contains("sa-east-1"), "{unknown}");
        assert!(of_transfer(bytes, &Place::default(), &prices).contains("do not say their Regions"));
        assert!(of_transfer(bytes, &place("eu-west-1", "eu-west-1"), &prices).contains("costs nothing"));
    }

    #[test]
    fn small_amounts_are_not_rounded_to_nothing() {
        assert_eq!([0.0, 0.0004, 0.082, 1234.5].map(money), ["$0", "less than $0.01", "$0.08", "$1234.50"]);
    }

    #[test]
    fn a_list_of_prices_tells_all_its_mistakes() {
        let text = "version = 2\ndate = 2026-06-01\n\
                    [[transfer]]\nfrom = \"a\"\nto = \"b\"\nusd_per_gb = -1.0\nsource = \"x\"\n\
                    [[task]]\nregion = \"a\"\nusd_per_vcpu_hour = nan\nusd_per_gb_hour = 1.0\nsource = \"\"\n";
        let wrong = Prices::parse(text).unwrap_err();
        assert_eq!(wrong.len(), 4, "{wrong:?}");
        assert!(Prices::parse("version = 1\ndate = 2026-06-01\ncurrency = \"EUR\"\n").is_err());
        assert!(Prices::parse("version = 1\ndate = 12:00:00\n").is_err());
    }
}
