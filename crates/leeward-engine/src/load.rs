//! A dump into a target: a seed whose chunks come from a store. [`FromDump`] stands in for the source, so that tables are made,
//! chunks loaded and written down, and indexes built exactly as a seed does it, and a load that was killed goes on the same way.

mod reader;
mod shapes;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use leeward_core::dump::{Manifest, tag};
use leeward_core::fault::{Fault, FaultKind};
use leeward_core::name::{Side, TableName};
use leeward_core::port::{
    ChunkLoader, ChunkReader, Claims, Control, LoadWatch, Passed, Servers, Shape, Shapes, Source, Target,
};
use tokio_util::sync::CancellationToken;

use crate::budget::Budget;
use crate::dump::Archive;
use crate::lease::Claim;
use crate::progress::Tell;
use crate::seed::{self, Found, Loaded, Others, SeedOptions, SeedReport, Until};
use reader::{Chunks, DumpReader};
use shapes::DumpShapes;

/// Whether the source can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TheSource {
    /// There is none, or it is gone.
    Gone,
    /// It is there, and gives what the dump does not hold.
    There,
}

/// The servers of a target and a dump in place of the source.
pub struct FromDump {
    servers: Arc<dyn Servers>,
    archive: Archive,
    manifest: Arc<Manifest>,
    chunks: Arc<Chunks>,
    source: TheSource,
}

impl FromDump {
    /// Puts a dump in the source's place.
    pub fn new(servers: Arc<dyn Servers>, archive: Archive, manifest: Manifest, source: TheSource) -> FromDump {
        let chunks = Arc::new(Chunks::of(&manifest));
        FromDump { servers, archive, manifest: Arc::new(manifest), chunks, source }
    }

    fn is_gone(&self) -> Result<(), Fault> {
        match self.source {
            TheSource::There => Ok(()),
            TheSource::Gone => Err(Fault::new(FaultKind::Unexpected, "ask the source, which a load does not have")),
        }
    }
}

#[async_trait]
impl Servers for FromDump {
    async fn source(&self) -> Result<Box<dyn Source>, Fault> {
        self.is_gone()?;
        self.servers.source().await
    }

    async fn target(&self) -> Result<Box<dyn Target>, Fault> {
        self.servers.target().await
    }

    async fn control(&self) -> Result<Box<dyn Control>, Fault> {
        self.servers.control().await
    }

    async fn shapes(&self, side: Side) -> Result<Box<dyn Shapes>, Fault> {
        match (side, self.source) {
            (Side::Source, TheSource::Gone) => Ok(Box::new(DumpShapes(self.manifest.clone()))),
            _ => self.servers.shapes(side).await,
        }
    }

    async fn shape(&self) -> Result<Box<dyn Shape>, Fault> {
        self.servers.shape().await
    }

    async fn reader(&self) -> Result<Box<dyn ChunkReader>, Fault> {
        let source = match self.source {
            TheSource::There => Some(self.servers.clone()),
            TheSource::Gone => None,
        };
        Ok(Box::new(DumpReader::new(self.archive.clone(), self.chunks.clone(), source)))
    }

    async fn loader(&self) -> Result<Box<dyn ChunkLoader>, Fault> {
        self.servers.loader().await
    }

    async fn claims(&self) -> Result<Box<dyn Claims>, Fault> {
        self.servers.claims().await
    }

    /// A store takes as many connections as one likes.
    async fn free_connections(&self, _side: Side) -> Result<Option<u64>, Fault> {
        self.servers.free_connections(Side::Target).await
    }

    /// What is read from the store passes over no connection to a server.
    fn passed(&self, side: Side) -> Option<Passed> {
        match (side, self.source) {
            (Side::Source, TheSource::Gone) => None,
            _ => self.servers.passed(side),
        }
    }

    async fn load_watch(&self) -> Result<Box<dyn LoadWatch>, Fault> {
        self.is_gone()?;
        self.servers.load_watch().await
    }

    async fn view(&self, side: Side) -> Result<Box<dyn Source>, Fault> {
        if side == Side::Source {
            self.is_gone()?;
        }
        self.servers.view(side).await
    }
}

/// How a dump is loaded.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Who loads it.
    pub claim: Claim,
    /// Chunks loaded at once, over the policy's number.
    pub parallel: Option<usize>,
    /// Rows in memory.
    pub budget: Budget,
}

impl LoadOptions {
    fn seed(&self, loaded: Loaded) -> SeedOptions {
        SeedOptions {
            claim: self.claim.clone(),
            found: Found::Refuse,
            others: Others::Wait,
            parallel: self.parallel,
            max_source_load: Some(leeward_core::throttle::LoadLimit::default()),
            budget: self.budget.clone(),
            until: Until::Loaded(loaded),
        }
    }
}

/// Loads a whole dump into a target that holds none of its tables.
///
/// # Errors
/// `Refused` for a target that is filled, `Damaged` for an object that is missing or not what it was; what was committed stays
/// and is gone on with by the next run.
pub async fn run(
    servers: &Arc<dyn Servers>,
    (archive, manifest): (&Archive, Manifest),
    options: &LoadOptions,
    (tell, stop): (&dyn Tell, &CancellationToken),
) -> Result<SeedReport, Fault> {
    let loaded = Loaded { dump: manifest.id.clone(), rows: rows(&manifest), alone: None };
    load(servers, (archive, manifest), &options.seed(loaded), (tell, stop)).await
}

/// Restores one table, under another name where one is given.
///
/// # Errors
/// Those of [`run`]; `Refused` where the dump has no such table.
pub async fn restore(
    servers: &Arc<dyn Servers>,
    (archive, manifest): (&Archive, &Manifest),
    (table, under): (&TableName, &TableName),
    options: &LoadOptions,
    (tell, stop): (&dyn Tell, &CancellationToken),
) -> Result<SeedReport, Fault> {
    let Some(mut one) = manifest.only(table, under) else {
        let why = format!("dump {} at {} holds no table {table}", manifest.id, archive.place());
        return Err(Fault::new(FaultKind::Refused(why), "restore a table"));
    };
    // A lane of its own: the one that the table belongs to may be at work, or not exist.
    one.plan.settings.lane = restoring(under);
    one.plan.hash = one.plan.computed_hash();
    let was = (table != under).then(|| table.clone());
    let loaded = Loaded { dump: one.id.clone(), rows: rows(&one), alone: Some(seed::Alone { was }) };
    load(servers, (archive, one), &options.seed(loaded), (tell, stop)).await
}

async fn load(
    servers: &Arc<dyn Servers>,
    (archive, manifest): (&Archive, Manifest),
    options: &SeedOptions,
    (tell, stop): (&dyn Tell, &CancellationToken),
) -> Result<SeedReport, Fault> {
    let (plan, objects) = (manifest.plan.clone(), manifest.objects.clone());
    let from: Arc<dyn Servers> = Arc::new(FromDump::new(servers.clone(), archive.clone(), manifest, TheSource::Gone));
    seed::run(&from, (plan, &objects), options, tell, stop).await
}

fn rows(manifest: &Manifest) -> BTreeMap<TableName, u64> {
    manifest.tables.iter().map(|table| (table.name.clone(), table.rows)).collect()
}

/// Names of lanes are shorter than those of tables may be.
fn restoring(table: &TableName) -> String {
    format!("restore-{}", tag(&table.to_string()))
}
