//! What a copy in another Region costs, as far as it can be said: a pure function of what the copy carries, where the servers
//! are, and a dated list of prices. What is not known is said to be unknown; nothing is guessed, and nothing is fetched.

mod prices;
mod volume;

use serde::Serialize;

use crate::measure;
use crate::name::TableName;
use crate::plan::Plan;
use crate::server::Observed;
use crate::survey::Survey;
pub use prices::{Place, Prices};
pub use volume::Volume;

/// Bytes of what AWS bills as a GB.
const GB: f64 = (1u64 << 30) as f64;

/// Hours of a month, as AWS calculates.
const MONTH_HOURS: f64 = 730.0;

/// Days of a month: 730 hours.
const MONTH_DAYS: f64 = MONTH_HOURS / 24.0;

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
    /// What of it is due in a month.
    pub month: Month,
    /// What a replica of the server's own would cost in its place.
    pub replica: String,
}

/// What is due in a month, without what is due once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Month {
    /// US dollars, as far as they are known.
    pub usd: f64,
    /// Whether that is all: nothing that is due in a month is unknown.
    pub is_all: bool,
}

/// One thing that costs something.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// What it is.
    pub what: String,
    /// How much of it, and where the figure comes from; begins with `unknown` where the amount is.
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
    /// Returns how often, as it follows an amount: `a day`.
    pub fn words(self) -> &'static str {
        match self {
            Due::Once => "once",
            Due::Daily => "a day",
            Due::Monthly => "a month",
        }
    }
}

/// Estimates what a plan costs, from what the survey saw.
pub fn estimate(plan: &Plan, survey: &Survey, place: &Place, prices: &Prices) -> Estimate {
    let writes = |name: &TableName| {
        let seen = survey.tables.iter().find(|seen| seen.table.name == *name);
        seen.map_or_else(
            || Observed::Unknown("the survey did not see the table".to_owned()),
            |seen| seen.writes.clone(),
        )
    };
    of_volume(&Volume::of(plan, survey.at, writes), place, prices)
}

/// Estimates what a copy costs that carries so much.
pub fn of_volume(volume: &Volume, place: &Place, prices: &Prices) -> Estimate {
    let items = vec![
        transfer("transfer for the seed", &volume.seed, Due::Once, (place, prices)),
        transfer("transfer for changes", &volume.day, Due::Daily, (place, prices)),
        instance(place, prices),
        storage(place, prices),
        task(place, prices),
    ];
    Estimate {
        prices_of: prices.date.clone(),
        from: place.source_region.clone(),
        to: place.target_region.clone(),
        month: month(&items),
        replica: replica(&items[4]),
        items,
    }
}

/// Returns what a read replica across Regions would cost instead. Its log carries each changed row whole, before and after
/// (`binlog_row_image=FULL`, the default of both servers), so that its transfer is no smaller.
fn replica(task: &Item) -> String {
    let less =
        task.usd.map_or("what that costs is unknown here".to_owned(), |usd| format!("about {} a month", money(usd)));
    format!(
        "a native replica of the same class would cost the same instance and storage, at least the same transfer, and no \
         engine task ({less})"
    )
}

fn transfer(what: &str, carried: &volume::Carried, due: Due, (place, prices): (&Place, &Prices)) -> Item {
    let per_gb = prices.transfer(place);
    let amount = match (carried.bytes, per_gb) {
        (None, None) => carried.words.clone(),
        _ => priced(carried.words.clone(), per_gb.map(|usd| format!("${usd}/GB"))),
    };
    Item { what: what.to_owned(), amount, usd: carried.bytes.zip(per_gb).map(|(bytes, usd)| bytes / GB * usd), due }
}

fn instance(place: &Place, prices: &Prices) -> Item {
    let per_hour = prices.instance_hour(place);
    let amount = match &place.target_class {
        Some(class) => priced(of_both(class.clone(), place), per_hour.map(|usd| format!("${usd}/hour"))),
        None => "unknown: neither AWS nor the prices say the class".to_owned(),
    };
    let usd = per_hour.map(|usd| usd * MONTH_HOURS * machines(place));
    Item { what: "target instance".to_owned(), amount, usd, due: Due::Monthly }
}

fn storage(place: &Place, prices: &Prices) -> Item {
    let per_gb = prices.storage_gb_month(place);
    let amount = match place.target_storage_gb {
        Some(gb) => {
            let size = format!("{} GB (gp3)", measure::count(gb));
            priced(of_both(size, place), per_gb.map(|usd| format!("${usd}/GB a month")))
        }
        None => "unknown: neither AWS nor the prices say how much of gp3".to_owned(),
    };
    let usd = place.target_storage_gb.zip(per_gb).map(|(gb, usd)| gb as f64 * usd * machines(place));
    Item { what: "target storage".to_owned(), amount, usd, due: Due::Monthly }
}

/// A standby is paid for like the instance that it stands by.
fn machines(place: &Place) -> f64 {
    if place.target_multi_az == Some(true) { 2.0 } else { 1.0 }
}

fn of_both(amount: String, place: &Place) -> String {
    if place.target_multi_az == Some(true) { format!("{amount}, twice (Multi-AZ)") } else { amount }
}

fn task(place: &Place, prices: &Prices) -> Item {
    let (vcpus, memory_gb) = TASK;
    let per_hour = prices.task_hour(place, TASK);
    Item {
        what: "engine task".to_owned(),
        amount: priced(
            format!("Fargate, {vcpus} vCPU and {memory_gb} GB, all the time"),
            per_hour.map(|usd| format!("${usd:.5}/hour")),
        ),
        usd: per_hour.map(|usd| usd * MONTH_HOURS),
        due: Due::Monthly,
    }
}

/// Adds the price to an amount, or that the list of prices does not hold it.
fn priced(amount: String, price: Option<String>) -> String {
    match price {
        Some(price) => format!("{amount}; {price}"),
        None => format!("{amount}; its price is unknown here"),
    }
}

fn month(items: &[Item]) -> Month {
    let due = |item: &Item| match item.due {
        Due::Once => Some(0.0),
        Due::Daily => item.usd.map(|usd| usd * MONTH_DAYS),
        Due::Monthly => item.usd,
    };
    Month { usd: items.iter().filter_map(due).sum(), is_all: items.iter().all(|item| due(item).is_some()) }
}

impl Item {
    /// Returns what it costs and how often: `about $0.02 once`, `unknown`.
    pub fn price(&self) -> String {
        self.usd.map_or("unknown".to_owned(), |usd| format!("about {} {}", money(usd), self.due.words()))
    }
}

impl Estimate {
    /// Returns what it is about: the day of the prices and both Regions.
    pub fn title(&self) -> String {
        let region = |region: &Option<String>| region.clone().unwrap_or_else(|| "an unknown Region".to_owned());
        format!("at prices of {}, {} to {}", self.prices_of, region(&self.from), region(&self.to))
    }

    /// Returns what a month costs, and whether that is all.
    pub fn monthly(&self) -> String {
        let more = if self.month.is_all { "" } else { ", and what is unknown above" };
        format!("{}{more}", money(self.month.usd))
    }

    /// Returns it as text, ending in a line break.
    pub fn text(&self) -> String {
        let mut lines = vec![format!("Cost, {}:", self.title())];
        for item in &self.items {
            // The price before it says already that it is unknown.
            let amount = item.amount.strip_prefix("unknown: ").unwrap_or(&item.amount);
            lines.push(format!("  {:22} {:22} {amount}", item.what, item.price()));
        }
        lines.push(format!("  {:22} {}", "a month", self.monthly()));
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
