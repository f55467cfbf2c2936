//! The servers as a copy into a store sees them: it reads the source, in views of one moment if there are any, and loads into
//! the store. Nothing else is asked of them.

use std::sync::Arc;

use async_trait::async_trait;
use leeward_core::fault::Fault;
use leeward_core::name::Side;
use leeward_core::port::{
    ChunkLoader, ChunkReader, Claims, Control, LoadWatch, Passed, Servers, Shape, Shapes, Source, Target,
};

use super::sink::{Sink, StoreLoader};
use super::views::{ViewReader, Views};

pub(super) struct IntoStore<'s> {
    pub servers: &'s dyn Servers,
    pub views: Option<Arc<Views>>,
    pub sink: Arc<Sink>,
}

#[async_trait]
impl Servers for IntoStore<'_> {
    async fn source(&self) -> Result<Box<dyn Source>, Fault> {
        self.servers.source().await
    }

    async fn target(&self) -> Result<Box<dyn Target>, Fault> {
        self.servers.target().await
    }

    async fn control(&self) -> Result<Box<dyn Control>, Fault> {
        self.servers.control().await
    }

    async fn shapes(&self, side: Side) -> Result<Box<dyn Shapes>, Fault> {
        self.servers.shapes(side).await
    }

    async fn shape(&self) -> Result<Box<dyn Shape>, Fault> {
        self.servers.shape().await
    }

    async fn reader(&self) -> Result<Box<dyn ChunkReader>, Fault> {
        match &self.views {
            Some(views) => Ok(Box::new(ViewReader(views.clone()))),
            None => self.servers.reader().await,
        }
    }

    async fn loader(&self) -> Result<Box<dyn ChunkLoader>, Fault> {
        Ok(Box::new(StoreLoader(self.sink.clone())))
    }

    async fn claims(&self) -> Result<Box<dyn Claims>, Fault> {
        self.servers.claims().await
    }

    /// A store takes as many connections as one likes.
    async fn free_connections(&self, _side: Side) -> Result<Option<u64>, Fault> {
        self.servers.free_connections(Side::Source).await
    }

    /// What is written into the store passes over no connection to a server.
    fn passed(&self, side: Side) -> Option<Passed> {
        self.servers.passed(side)
    }

    async fn load_watch(&self) -> Result<Box<dyn LoadWatch>, Fault> {
        self.servers.load_watch().await
    }

    async fn view(&self, side: Side) -> Result<Box<dyn Source>, Fault> {
        self.servers.view(side).await
    }
}
