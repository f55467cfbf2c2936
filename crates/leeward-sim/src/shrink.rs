//! Makes a failing schedule small enough to be read: first the shortest run of steps that still fails, then without each
//! hazard, step and moment that it does not need. Since each step draws from a stream of its own, leaving one out changes
//! none of the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::schedule::{self, Order};
use crate::style::Hazard;
use crate::world::MOMENT;

/// Moments of one schedule that are tried at most: ten turns of some forty moments.
const MOMENTS_MAX: u32 = 600;

/// Steps of one schedule at most.
const STEPS_MAX: u32 = 60;

/// Rounds of leaving out: what one round took out may make another step needless. The third rarely finds any.
const ROUNDS: usize = 4;

/// Returns a smaller order that still breaks a promise; nothing if the order breaks none.
pub(crate) fn shrink(order: &Order) -> Option<Order> {
    let fails = |order: &Order| schedule::run(order).broken_promise.is_some();
    if !fails(order) {
        return None;
    }
    let mut order = order.clone();
    let shortest = (0..=STEPS_MAX).find(|steps| fails(&Order { steps_max: *steps, ..order.clone() }));
    order.steps_max = shortest.unwrap_or(order.steps_max);
    for hazard in Hazard::ALL {
        let without = Order { hazards: order.hazards.without(hazard), ..order.clone() };
        if fails(&without) {
            order = without;
        }
    }
    for _ in 0..ROUNDS {
        let before = order.left_out.len();
        let candidates = (1..=order.steps_max.min(STEPS_MAX)).chain((1..=MOMENTS_MAX).map(|moment| moment | MOMENT));
        for one in candidates {
            let mut left_out: BTreeSet<u32> = order.left_out.as_ref().clone();
            if !left_out.insert(one) {
                continue;
            }
            let without = Order { left_out: Arc::new(left_out), ..order.clone() };
            if fails(&without) {
                order = without;
            }
        }
        if order.left_out.len() == before {
            break;
        }
    }
    Some(order)
}
