//! The plan as a person reads it before agreeing: one line a table, why, and what could be better. Plain text without
//! colours; whoever prints it may add them. JSON is the plan's own serde form.

use std::fmt::Write;

use crate::class::Class;
use crate::measure;
use crate::plan::{Fallback, FenceMode, LeftOut, LeftOutReason, Plan, PlannedTable};
use crate::policy::OnDdl;

/// Columns after which running text is wrapped. Statements are not wrapped, so that they can be copied.
const WIDTH: usize = 100;

/// Widest name that pushes the columns of all tables to the right; longer ones push only their own line.
const NAME_WIDTH_MAX: usize = 40;

/// Returns the plan as text, ending in a line break.
pub fn render(plan: &Plan) -> String {
    let mut text = String::new();
    head(&mut text, plan);
    let widths = Widths::of(plan);
    for table in &plan.tables {
        line(&mut text, table, &widths);
        if table.ddl != plan.settings.ddl {
            let what = match table.ddl {
                OnDdl::Apply => "compatible changes are made on the target by Leeward",
                OnDdl::Report => "changes are reported, and made by a person",
            };
            push(&mut text, 4, "ddl: ", what);
        }
    }
    for left in &plan.left_out {
        left_out(&mut text, left);
    }
    if !plan.tables.is_empty() || !plan.left_out.is_empty() {
        text.push('\n');
    }
    foot(&mut text, plan);
    text
}

/// Widths of the columns that depend on what stands in them.
struct Widths {
    name: usize,
    mark: usize,
    rows: usize,
}

impl Widths {
    fn of(plan: &Plan) -> Widths {
        let widest = |cell: &dyn Fn(&PlannedTable) -> String| {
            plan.tables.iter().map(|table| printable(&cell(table)).chars().count()).max().unwrap_or(0)
        };
        Widths {
            name: widest(&|table| table.name().to_string()).min(NAME_WIDTH_MAX),
            mark: widest(&|table| mark(table).to_owned()).min(NAME_WIDTH_MAX),
            rows: widest(&rows),
        }
    }
}

fn mark(table: &PlannedTable) -> &str {
    table.mark_column.as_deref().unwrap_or("-")
}

/// Returns the number of rows, which is an estimate of the server and shown as one.
fn rows(table: &PlannedTable) -> String {
    format!("~{}", measure::counted(table.rows_estimate, "row"))
}

fn head(text: &mut String, plan: &Plan) {
    let short_hash: String = plan.hash.chars().take(12).collect();
    let schemas: Vec<&str> = plan.schemas.iter().map(|schema| schema.name.as_str()).collect();
    let schemas = if schemas.is_empty() { "none".to_owned() } else { schemas.join(", ") };
    let at = plan.surveyed_at.format("%Y-%m-%d %H:%M:%S");
    push(text, 0, "", &format!("Plan {short_hash} for {} {}, surveyed {at} UTC", plan.flavor, plan.version));
    push(text, 0, "databases: ", &schemas);
    let settings = &plan.settings;
    let objectives = format!("RPO {}, RTO {}", measure::span(settings.rpo_s), measure::span(settings.rto_s));
    push(text, 0, "lane: ", &format!("{} ({objectives})", settings.lane));
    text.push('\n');
    if !plan.tables.is_empty() || !plan.left_out.is_empty() {
        push(text, 0, "", "= static   + insert-only   ~ updated and deleted   ! left out");
        text.push('\n');
    }
}

fn line(text: &mut String, table: &PlannedTable, widths: &Widths) {
    let symbol = match table.class {
        Class::Static => '=',
        Class::InsertOnly => '+',
        Class::UpdDel => '~',
    };
    let Widths { name: name_width, mark: mark_width, rows: rows_width } = *widths;
    let written = format!(
        "{symbol} {:name_width$}  {:11} {:9} {:mark_width$}  {:6}  {:>rows_width$}  {:>10}",
        printable(&table.name().to_string()),
        table.class,
        table.strategy,
        printable(mark(table)),
        table.confidence,
        rows(table),
        measure::size(table.data_bytes),
    );
    let _ = writeln!(text, "{written}");
    for reason in &table.reasons {
        push(text, 4, "why: ", reason);
    }
    if let Some(fallback) = &table.fallback {
        let Fallback { class, strategy, mark_column, confidence, .. } = fallback.as_ref();
        let by = mark_column.as_ref().map(|column| format!(" by {column}")).unwrap_or_default();
        push(text, 4, "if that is contradicted: ", &format!("{class}, {strategy}{by}, confidence {confidence}"));
    }
    for advice in &table.advice {
        statement(text, 4, "could be better: ", advice);
    }
}

fn left_out(text: &mut String, left: &LeftOut) {
    let why = match &left.reason {
        LeftOutReason::ByPolicy => "excluded by policy".to_owned(),
        LeftOutReason::NoKeyTooLarge => "no usable key, and too large to compare whole".to_owned(),
        LeftOutReason::NotTransactional => "its engine has no transactions, so no cut can hold it".to_owned(),
        LeftOutReason::Unsupported(what) => format!("not supported: {what}"),
    };
    push(text, 0, "! ", &format!("{}  LEFT OUT: {why}", left.name));
    match left.reason {
        LeftOutReason::ByPolicy => push(text, 4, "why: ", &left.remedy),
        _ => statement(text, 4, "remedy: ", &left.remedy),
    }
}

fn foot(text: &mut String, plan: &Plan) {
    match &plan.fence {
        FenceMode::Proved => push(text, 0, "fence: ", "proved; no mark moves past what is known to be committed"),
        FenceMode::Window { overlap_s, why } => {
            let window = measure::span(*overlap_s);
            push(text, 0, "fence: ", &format!("UNPROVEN; {window} below each mark are read again, because {why}"));
        }
    }
    if plan.settings.ddl == OnDdl::Apply {
        let applied = "compatible changes are made on the target by Leeward, and new tables are taken in";
        push(text, 0, "ddl: ", applied);
    }
    for warning in &plan.warnings {
        push(text, 0, "warning: ", warning);
    }
    let noted = plan.settings.ddl == OnDdl::Apply || !plan.warnings.is_empty();
    if matches!(plan.fence, FenceMode::Window { .. }) || noted {
        text.push('\n');
    }
    let number = |class| plan.tables.iter().filter(|table| table.class == class).count();
    let bytes: u64 = plan.tables.iter().map(|table| table.data_bytes).sum();
    let all = u64::try_from(plan.tables.len() + plan.left_out.len()).unwrap_or(u64::MAX);
    let summary = format!(
        "{}: {} static, {} insert-only, {} upd/del, {} left out. About {} of rows to copy.",
        measure::counted(all, "table"),
        number(Class::Static),
        number(Class::InsertOnly),
        number(Class::UpdDel),
        plan.left_out.len(),
        measure::size(bytes),
    );
    push(text, 0, "", &summary);
}

/// Writes a labelled sentence, wrapped between words, its further lines under its first word.
fn push(text: &mut String, indent: usize, label: &str, sentence: &str) {
    let margin = indent + label.chars().count();
    let mut written = format!("{:indent$}{label}", "");
    let mut width = margin;
    for (at, word) in printable(sentence).split(' ').enumerate() {
        let word_width = word.chars().count();
        if at > 0 && width + 1 + word_width > WIDTH {
            let _ = writeln!(text, "{written}");
            written = format!("{:margin$}", "");
            width = margin;
        } else if at > 0 {
            written.push(' ');
            width += 1;
        }
        written.push_str(word);
        width += word_width;
    }
    let _ = writeln!(text, "{written}");
}

/// Writes a labelled statement on one line, whatever its length.
fn statement(text: &mut String, indent: usize, label: &str, statement: &str) {
    let _ = writeln!(text, "{:indent$}{label}{}", "", printable(statement));
}

/// Shows control characters as escapes: names come from a server, and must not steer a terminal.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_debug().collect() } else { vec![c] }).collect()
}
