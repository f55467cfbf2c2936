//! The list of prices: a dated file that people can replace, embedded as it was when this was built.

use serde::Deserialize;
use toml::value::Datetime;

/// The list that is built in.
const BUILTIN: &str = include_str!("../../../../policies/prices.toml");

/// Prices of one day, in US dollars.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices {
    /// The day.
    pub date: String,
    /// What the file says of where the servers are.
    pub place: Place,
    transfer: Vec<Transfer>,
    storage: Vec<Storage>,
    instance: Vec<Instance>,
    task: Vec<Task>,
}

/// Where the servers are, and what the target is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The source's Region.
    pub source_region: Option<String>,
    /// The target's Region.
    pub target_region: Option<String>,
    /// The target's instance class.
    pub target_class: Option<String>,
    /// The target's storage, of the type gp3.
    pub target_storage_gb: Option<u64>,
    /// Whether the target has a standby in another zone, which is paid for like itself.
    pub target_multi_az: Option<bool>,
}

impl Place {
    /// Returns it with what the other knows in its place.
    pub fn or(self, other: Place) -> Place {
        Place {
            source_region: self.source_region.or(other.source_region),
            target_region: self.target_region.or(other.target_region),
            target_class: self.target_class.or(other.target_class),
            target_storage_gb: self.target_storage_gb.or(other.target_storage_gb),
            target_multi_az: self.target_multi_az.or(other.target_multi_az),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    date: Datetime,
    #[serde(default)]
    place: Place,
    #[serde(default)]
    transfer: Vec<Transfer>,
    #[serde(default)]
    storage: Vec<Storage>,
    #[serde(default)]
    instance: Vec<Instance>,
    #[serde(default)]
    task: Vec<Task>,
}

/// `source` stands in each entry for people; it is checked to be there.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    from: String,
    to: String,
    usd_per_gb: f64,
    source: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Storage {
    region: String,
    usd_per_gb_month: f64,
    source: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Instance {
    region: String,
    class: String,
    usd_per_hour: f64,
    source: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Task {
    region: String,
    usd_per_vcpu_hour: f64,
    usd_per_gb_hour: f64,
    source: String,
}

impl Prices {
    /// Returns the list that is built in.
    pub fn builtin() -> Prices {
        Prices::parse(BUILTIN).expect("a test reads it")
    }

    /// Reads a list.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Prices, Vec<String>> {
        let file: File = toml::from_str(text).map_err(|error| vec![error.to_string().trim_end().to_owned()])?;
        let mut wrong = Vec::new();
        if file.version != 1 {
            wrong.push(format!("version {} is not 1, the one that this leeward reads", file.version));
        }
        if file.date.date.is_none() || file.date.time.is_some() {
            wrong.push("date is the day of the prices, such as 2026-06-01".to_owned());
        }
        let mut check = |what: String, amounts: &[f64], source: &str| {
            if amounts.iter().any(|usd| !usd.is_finite() || *usd < 0.0) {
                wrong.push(format!("{what}: a price is a number of US dollars, zero or more"));
            }
            if source.trim().is_empty() {
                wrong.push(format!("{what}: say in `source` where the price comes from"));
            }
        };
        for one in &file.transfer {
            check(format!("transfer from {} to {}", one.from, one.to), &[one.usd_per_gb], &one.source);
        }
        for one in &file.storage {
            check(format!("storage in {}", one.region), &[one.usd_per_gb_month], &one.source);
        }
        for one in &file.instance {
            check(format!("{} in {}", one.class, one.region), &[one.usd_per_hour], &one.source);
        }
        for one in &file.task {
            check(format!("task in {}", one.region), &[one.usd_per_vcpu_hour, one.usd_per_gb_hour], &one.source);
        }
        let File { date, place, transfer, storage, instance, task, .. } = file;
        match wrong.is_empty() {
            true => Ok(Prices { date: date.to_string(), place, transfer, storage, instance, task }),
            false => Err(wrong),
        }
    }

    /// Returns the price of a GB from the source's Region to the target's; nothing within one Region.
    pub fn transfer(&self, place: &Place) -> Option<f64> {
        let (from, to) = (place.source_region.as_ref()?, place.target_region.as_ref()?);
        if from == to {
            return Some(0.0);
        }
        self.transfer.iter().find(|one| one.from == *from && one.to == *to).map(|one| one.usd_per_gb)
    }

    /// Returns the price of an hour of the target's instance.
    pub fn instance_hour(&self, place: &Place) -> Option<f64> {
        let (region, class) = (place.target_region.as_ref()?, place.target_class.as_ref()?);
        self.instance.iter().find(|one| one.region == *region && one.class == *class).map(|one| one.usd_per_hour)
    }

    /// Returns the price of a GB of the target's storage in a month.
    pub fn storage_gb_month(&self, place: &Place) -> Option<f64> {
        let region = place.target_region.as_ref()?;
        self.storage.iter().find(|one| one.region == *region).map(|one| one.usd_per_gb_month)
    }

    /// Returns the price of an hour of a task with so many vCPUs and GB of memory in the target's Region.
    pub fn task_hour(&self, place: &Place, (vcpus, memory_gb): (f64, f64)) -> Option<f64> {
        let region = place.target_region.as_ref()?;
        let task = self.task.iter().find(|one| one.region == *region)?;
        Some(vcpus * task.usd_per_vcpu_hour + memory_gb * task.usd_per_gb_hour)
    }
}
