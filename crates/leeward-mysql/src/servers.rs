//! The ports' real answers: every connection that the engine asks for is opened here.

use async_trait::async_trait;
use leeward_core::fault::Fault;
use leeward_core::name::{Side, TableName};
use leeward_core::port::{
    ChunkLoader, ChunkReader, Claims, Control, LoadWatch, Locks, OneMoment, Passed, Servers, Shape, Shapes, Source,
    Target,
};

use crate::apply::MySqlTarget;
use crate::control::MySqlControl;
use crate::control::claims::MySqlClaims;
use crate::cut::MySqlSource;
use crate::endpoint::Endpoint;
use crate::load::{self, MySqlLoader, MySqlReader};
use crate::shape::{ServerShapes, TargetShape};
use crate::throttle::{self, MySqlLoadWatch};

/// A source and a target.
#[derive(Debug, Clone)]
pub struct MySqlServers {
    /// The source.
    pub source: Endpoint,
    /// The target.
    pub target: Endpoint,
}

impl MySqlServers {
    fn endpoint(&self, side: Side) -> &Endpoint {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }
}

#[async_trait]
impl Servers for MySqlServers {
    async fn source(&self) -> Result<Box<dyn Source>, Fault> {
        Ok(Box::new(MySqlSource::connect(&self.source).await?))
    }

    async fn target(&self) -> Result<Box<dyn Target>, Fault> {
        Ok(Box::new(MySqlTarget::connect(&self.target).await?))
    }

    async fn control(&self) -> Result<Box<dyn Control>, Fault> {
        Ok(Box::new(MySqlControl::connect(&self.target).await?))
    }

    async fn shapes(&self, side: Side) -> Result<Box<dyn Shapes>, Fault> {
        Ok(Box::new(ServerShapes::open(self.endpoint(side)).await?))
    }

    async fn shape(&self) -> Result<Box<dyn Shape>, Fault> {
        Ok(Box::new(TargetShape::open(&self.target).await?))
    }

    async fn reader(&self) -> Result<Box<dyn ChunkReader>, Fault> {
        Ok(Box::new(MySqlReader::connect(&self.source).await?))
    }

    async fn loader(&self) -> Result<Box<dyn ChunkLoader>, Fault> {
        Ok(Box::new(MySqlLoader::connect(&self.target).await?))
    }

    async fn claims(&self) -> Result<Box<dyn Claims>, Fault> {
        Ok(Box::new(MySqlClaims::connect(&self.target).await?))
    }

    async fn free_connections(&self, side: Side) -> Result<Option<u64>, Fault> {
        throttle::free_connections(self.endpoint(side)).await
    }

    fn passed(&self, side: Side) -> Option<Passed> {
        Some(self.endpoint(side).wire.passed())
    }

    async fn load_watch(&self) -> Result<Box<dyn LoadWatch>, Fault> {
        Ok(Box::new(MySqlLoadWatch::connect(&self.source).await?))
    }

    async fn one_moment(&self, readers: usize, tables: &[&TableName], locks: Locks) -> Result<OneMoment, Fault> {
        load::one_moment(&self.source, readers, tables, locks).await
    }

    async fn view(&self, side: Side) -> Result<Box<dyn Source>, Fault> {
        Ok(Box::new(MySqlSource::connect_view(self.endpoint(side)).await?))
    }
}
