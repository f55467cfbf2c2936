//! What the pair costs, as it is shown. Nothing is reckoned here: whoever knows prices and sizes fills it in
//! ([`super::Readiness::with_cost`]), and without it the report says nothing of money.

use serde::Serialize;

/// A month of the pair.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// ISO 4217, `USD`.
    pub currency: String,
    /// What is paid for, the dearest first.
    pub items: Vec<CostItem>,
    /// What the numbers rest on and leave out.
    pub words: Vec<String>,
}

/// One thing that is paid for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostItem {
    /// What it is.
    pub what: String,
    /// What it costs a month, in the currency.
    pub per_month: f64,
    /// What that is reckoned from, `214 GB across regions at 0.02`.
    pub basis: String,
}

impl Cost {
    /// Returns the sum of a month.
    pub fn per_month(&self) -> f64 {
        self.items.iter().map(|item| item.per_month).sum()
    }
}
