//! Plans single tables after the plan was made: those that are new on the source, and those that come back with another
//! definition. The policy is the plan's own, so that the answer is the one that a new plan would give (invariant 5).

use crate::name::TableName;
use crate::plan::{LeftOut, Plan, PlannedTable};
use crate::planner::subject::Subject;
use crate::planner::{Decided, decide, line};
use crate::policy::Policy;
use crate::survey::Survey;

/// What is decided about tables that a plan did not know, or knew in another form.
#[derive(Debug, Default)]
pub struct Admitted {
    /// Those to be kept.
    pub tables: Vec<PlannedTable>,
    /// Those to be left out.
    pub left_out: Vec<LeftOut>,
    /// Those for which the policy cannot be obeyed, each with why. A person must mend the rule.
    pub refused: Vec<(TableName, String)>,
}

impl Plan {
    /// Plans the tables of a survey by the policy that this plan was made by. Whether marks are proved is not asked
    /// again: the lane goes on as it was planned.
    ///
    /// # Errors
    /// A text for a person, when the plan carries no policy or one that this version does not understand.
    pub fn admit(&self, survey: &Survey) -> Result<Admitted, String> {
        let Some(source) = &self.policy else {
            return Err("the plan does not hold the policy that it was made by".to_owned());
        };
        let policy = Policy::parse(&source.text, &source.file).map_err(|mistakes| {
            let first = mistakes.first().map(ToString::to_string).unwrap_or_default();
            format!("the plan's policy is not understood any more: {first}")
        })?;
        let mut admitted = Admitted::default();
        for seen in &survey.tables {
            let subject = Subject { seen, survey, policy: &policy };
            let name = &seen.table.name;
            // Which tables hold whose tombstones is judged over all of them.
            if policy.rule_for(name).is_some_and(|rule| rule.known.tombstones.is_some()) {
                admitted.refused.push((name.clone(), "its tombstones need a new plan".to_owned()));
                continue;
            }
            let kept = match decide(&subject) {
                Ok(Decided::Kept(choice)) => line(&subject, choice, &self.fence),
                Ok(Decided::LeftOut(left)) => {
                    admitted.left_out.push(left);
                    continue;
                }
                Err(mistake) => Err(mistake),
            };
            match kept {
                Ok(line) => admitted.tables.push(line),
                Err(mistake) => admitted.refused.push((name.clone(), mistake.to_string())),
            }
        }
        Ok(admitted)
    }
}
