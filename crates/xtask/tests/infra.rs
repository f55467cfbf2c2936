//! Holds infra/ to what can be held without AWS: every file parses, every variable is typed and told of, roles may do what is
//! listed here and nothing else, and the service is one writer that is stopped and looked after as it should be.

mod terraform;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use hcl::{Block, Expression};
use terraform::{Folder, attribute, blocks, call_argument, deep_blocks, field, root, text};

/// What roles and policies of the module name, each once. An action that is not here must not be granted; one that is here
/// and granted to nobody has outlived its use.
const ACTIONS: [&str; 36] = [
    "cloudwatch:GetMetricData",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "ecs:RunTask",
    "ecs:TagResource",
    "iam:PassRole",
    "kms:*",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "rds-db:connect",
    "rds:DescribeAccountAttributes",
    "rds:DescribeCertificates",
    "rds:DescribeDBClusters",
    "rds:DescribeDBInstances",
    "rds:DescribeDBSubnetGroups",
    "rds:DescribeOrderableDBInstanceOptions",
    "rds:DescribeValidDBInstanceModifications",
    "route53:ListResourceRecordSets",
    "s3:*",
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutObject",
    "secretsmanager:GetSecretValue",
    "sts:AssumeRole",
];

/// The two policies that may name all actions of a service: the key's, without which nobody could change it, and the bucket's,
/// which denies.
const WIDE: [(&str, &str); 2] = [("key", "kms:*"), ("bucket", "s3:*")];

/// The folders of examples.
const EXAMPLES: [&str; 3] = ["complete", "report-only", "beside-native-replica"];

fn module() -> Folder {
    Folder::read("infra")
}

fn examples() -> [Folder; 3] {
    EXAMPLES.map(|name| Folder::read(&format!("infra/examples/{name}")))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Reads the rows of a table of the page: the first cell's word, and the row.
fn rows(page: &str, heading: &str) -> BTreeMap<String, String> {
    let section = page.split_once(&format!("## {heading}\n")).unwrap_or_else(|| panic!("no section {heading}")).1;
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| (row.split('`').nth(1).expect("a name").to_owned(), row.to_owned())).collect()
}

#[test]
fn every_variable_and_output_is_typed_described_and_stands_in_the_page() {
    let (module, page) = (module(), read("infra/README.md"));
    for (kind, heading, needs) in
        [("variable", "Variables", &["type", "description"][..]), ("output", "Outputs", &["description"])]
    {
        let told = rows(&page, heading);
        let declared = module.all(kind);
        for block in &declared {
            let name = block.labels()[0].as_str();
            let without: Vec<&&str> = needs.iter().filter(|need| attribute(block, need).is_none()).collect();
            assert!(without.is_empty(), "{kind} {name} lacks {without:?}");
            let description = text(attribute(block, "description").expect("a description")).expect("a plain text");
            let row = told.get(name).unwrap_or_else(|| panic!("{kind} {name} is not in infra/README.md"));
            assert!(row.contains(&description), "infra/README.md says something else of {name}:\n{row}\n{description}");
        }
        let names: BTreeSet<&str> = declared.iter().map(|block| block.labels()[0].as_str()).collect();
        assert_eq!(told.keys().map(String::as_str).collect::<BTreeSet<_>>(), names, "the table of {kind}s");
    }
    for example in examples() {
        for block in example.all("variable") {
            assert!(attribute(block, "type").is_some() && attribute(block, "description").is_some(), "{block:?}");
        }
        for block in example.all("output") {
            assert!(attribute(block, "description").is_some(), "{block:?}");
        }
    }
}

#[test]
fn examples_give_the_module_every_variable_that_has_no_default_and_none_that_it_lacks() {
    let module = module();
    let variables = module.all("variable");
    let name = |block: &Block| block.labels()[0].as_str().to_owned();
    let known: BTreeSet<String> = variables.iter().map(|block| name(block)).collect();
    let needed = variables.iter().filter(|block| attribute(block, "default").is_none());
    let needed: BTreeSet<String> = needed.map(|block| name(block)).collect();
    for example in examples() {
        let uses = example.all("module");
        assert_eq!(uses.len(), 1);
        assert_eq!(attribute(uses[0], "source").and_then(text).as_deref(), Some("../.."));
        let providers = attribute(uses[0], "providers").expect("providers").to_string();
        assert!(providers.contains("aws.source") && providers.contains("aws.target"), "{providers}");
        let given = uses[0].body().attributes().map(|one| one.key().to_owned());
        let given: BTreeSet<String> = given.filter(|name| name != "source" && name != "providers").collect();
        assert!(given.is_subset(&known), "unknown: {:?}", given.difference(&known));
        assert!(needed.is_subset(&given), "missing: {:?}", needed.difference(&given));
    }
}

#[test]
fn everything_says_in_which_region_it_is_made() {
    let module = module();
    for block in module.all("resource").into_iter().chain(module.all("data")) {
        // Without one, Terraform would take a third provider that nobody has configured.
        let provider = attribute(block, "provider").map(ToString::to_string);
        let is_one = provider.as_deref().is_some_and(|name| ["aws.source", "aws.target"].contains(&name));
        assert!(is_one, "{:?} has the provider {provider:?}", block.labels());
    }
}

#[test]
fn roles_may_do_what_is_listed_and_nothing_else() {
    let module = module();
    let documents = module.of_type("data", "aws_iam_policy_document");
    let mut granted = BTreeSet::new();
    let mut denied = BTreeSet::new();
    for document in documents {
        let name = document.labels()[1].as_str();
        for statement in deep_blocks(document) {
            let Some(Expression::Array(actions)) = attribute(statement, "actions") else { continue };
            for action in actions {
                let action = text(action).expect("an action is a plain text");
                assert!(!action.contains('*') || WIDE.contains(&(name, &action)), "{name} grants {action}");
                if attribute(statement, "effect").and_then(text).as_deref() == Some("Deny") {
                    denied.insert(action.clone());
                }
                granted.insert(action);
            }
        }
    }
    assert_eq!(granted, ACTIONS.map(str::to_owned).into(), "what policies name, and what this test lists");
    assert_eq!(denied, ["s3:*".to_owned()].into(), "all of S3 is named to be denied");
}

#[test]
fn every_action_stands_with_the_code_that_needs_it() {
    let mut seen = BTreeSet::new();
    for (file, lines) in module().lines() {
        for line in lines {
            for action in ACTIONS.iter().filter(|action| line.contains(&format!("\"{action}\""))) {
                let why = line.split_once(" # ").map(|(_, why)| why.trim());
                let why = why.unwrap_or_else(|| panic!("{file}: {action} stands without the code that needs it"));
                let words = why.split([' ', ',', ':', ';']);
                for named in words.filter(|word| word.starts_with("crates/") || word.ends_with(".tf")) {
                    let is_there = root().join(named).exists() || root().join("infra").join(named).is_file();
                    assert!(is_there, "{file}: {action} is there for {named}, which is not");
                }
                seen.insert(*action);
            }
        }
    }
    assert_eq!(seen, ACTIONS.into(), "each is found by its line");
}

#[test]
fn the_service_is_one_writer_that_is_replaced_before_it_is_doubled() {
    let module = module();
    let services = module.of_type("resource", "aws_ecs_service");
    assert_eq!(services.len(), 1);
    let said = |name: &str| attribute(services[0], name).map(ToString::to_string);
    assert_eq!(said("deployment_minimum_healthy_percent").as_deref(), Some("0"));
    assert_eq!(said("deployment_maximum_percent").as_deref(), Some("100"));
    assert_eq!(said("desired_count").as_deref(), Some("var.sync_count"));
    let variables = module.all("variable");
    let count = variables.into_iter().find(|one| one.labels()[0].as_str() == "sync_count").expect("sync_count");
    let condition = attribute(blocks(count, "validation")[0], "condition").expect("a condition").to_string();
    assert!(condition.contains("contains") && condition.replace([' ', '\n'], "").contains("[0,1]"), "{condition}");
    let breaker = blocks(services[0], "deployment_circuit_breaker");
    for setting in ["enable", "rollback"] {
        assert_eq!(attribute(breaker[0], setting), Some(&Expression::Bool(true)), "{setting}");
    }
}

/// Returns the container of each task definition, by the definition's name.
fn containers(module: &Folder) -> BTreeMap<String, Expression> {
    let definitions = module.of_type("resource", "aws_ecs_task_definition");
    let container = |block: &&Block| {
        let list = attribute(block, "container_definitions").expect("containers");
        let Expression::Array(containers) = call_argument(list, "jsonencode") else { panic!("no list of containers") };
        assert_eq!(containers.len(), 1);
        (block.labels()[1].as_str().to_owned(), containers[0].clone())
    };
    definitions.iter().map(container).collect()
}

#[test]
fn tasks_are_stopped_and_confined() {
    let (dockerfile, module) = (read("Dockerfile"), module());
    let containers = containers(&module);
    assert_eq!(containers.keys().collect::<Vec<_>>(), ["report", "sync"]);
    for (name, container) in &containers {
        let said = |field_name: &str| field(container, field_name).map(ToString::to_string).unwrap_or_default();
        assert_eq!(said("stopTimeout"), "120", "{name}");
        assert_eq!(said("readonlyRootFilesystem"), "true", "{name}");
        assert_eq!(said("user"), "\"65532:65532\"", "{name}");
        assert!(dockerfile.contains("USER 65532:65532"));
        assert!(said("linuxParameters").replace([' ', '\n'], "").contains("[\"ALL\"]"), "{name}");
        assert!(said("logConfiguration").contains("awslogs"), "{name}");
    }
    let jobs = module.of_type("resource", "aws_batch_job_definition");
    let job = call_argument(attribute(jobs[0], "container_properties").expect("a container"), "jsonencode");
    assert_eq!(field(job, "readonlyRootFilesystem"), Some(&Expression::Bool(true)));
    assert_eq!(field(job, "user").and_then(text).as_deref(), Some("65532:65532"));
}

#[test]
fn the_service_is_looked_after_by_its_own_health_check() {
    let containers = containers(&module());
    let check = field(&containers["sync"], "healthCheck").expect("a health check");
    let Some(Expression::Array(command)) = field(check, "command") else { panic!("no command") };
    let command: Vec<String> = command.iter().filter_map(text).collect();
    assert_eq!(command, ["CMD", "/usr/local/bin/leeward", "healthcheck"]);
    let entrypoint = format!("ENTRYPOINT [\"{}\"]", command[1]);
    assert!(read("Dockerfile").contains(&entrypoint), "the image holds another program");
    let seconds = |name: &str| field(check, name).expect(name).to_string().parse::<u32>().expect("seconds");
    assert!(seconds("timeout") > 4, "the check itself waits 4 s for an answer");
    assert!((1..=10).contains(&seconds("retries")) && seconds("interval") <= 60);
    let environment = field(&containers["sync"], "environment").expect("an environment").to_string();
    assert!(environment.contains("LEEWARD_LISTEN"), "the service listens nowhere");
}

#[test]
fn what_leeward_is_told_exists() {
    let (options, help) = (read("docs/configuration.md"), read("crates/leeward/src/cli.help.txt"));
    let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
    let is_ours = |word: &&str| word.strip_prefix("LEEWARD_").is_some_and(|rest| !rest.is_empty());
    let mut told = BTreeSet::new();
    for (_, lines) in module().lines() {
        let words = lines.iter().flat_map(|line| line.split(|c| !is_name(c))).filter(is_ours);
        told.extend(words.map(str::to_owned));
    }
    assert!(told.contains("LEEWARD_LISTEN") && told.contains("LEEWARD_SOURCE_SECRET"), "{told:?}");
    for name in told {
        let name = name.replace("TARGET", "SOURCE");
        assert!(options.contains(&format!("`{name}`")), "{name} is not in docs/configuration.md");
    }
    let places = ["infra/variables.tf", "infra/ecs.tf", "infra/batch.tf", "infra/examples/complete/main.tf"];
    for place in places.into_iter().chain(["infra/examples/beside-native-replica/main.tf"]) {
        let text = read(place);
        let options = text.split('"').filter(|quoted| quoted.starts_with("--"));
        for option in options {
            assert!(help.contains(option), "{place}: {option} is no option of Leeward");
        }
    }
}

#[test]
fn alarms_stand_on_numbers_that_are_written() {
    let (lines, alarms) = (read("crates/leeward/src/service/emf.rs"), read("infra/alarms.tf"));
    let named = alarms.lines().filter_map(|line| line.trim().strip_prefix("metric"));
    let names: Vec<&str> = named.filter_map(|rest| rest.split('"').nth(1)).collect();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        assert!(lines.contains(&format!("(\"{name}\", ")), "{name} is written by nothing");
    }
    assert!(lines.contains("const NAMESPACE: &str = \"Leeward\"") && lines.contains("[[\"Lane\"]]"));
    let metrics = read("crates/leeward/src/service/prometheus.rs");
    for path in ["infra/prometheus/alerts.yml", "infra/prometheus/alerts_test.yml"] {
        let text = read(path);
        let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
        for name in words.filter(|word| word.starts_with("leeward_")) {
            assert!(metrics.contains(&format!("\"{name}\"")), "{path}: {name} is told by nothing");
        }
    }
}

#[test]
fn the_dashboard_shows_numbers_that_are_told_and_names_no_data_source() {
    let dashboard: serde_json::Value = serde_json::from_str(&read("infra/grafana/leeward.json")).expect("JSON");
    let metrics = read("crates/leeward/src/service/prometheus.rs");
    let panels = dashboard["panels"].as_array().expect("panels");
    assert!(panels.len() >= 8);
    for panel in panels {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{}", panel["title"]);
        for target in targets {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
            let query = target["expr"].as_str().expect("a query");
            let words = query.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
            let names: Vec<&str> = words.filter(|word| word.starts_with("leeward_")).collect();
            assert!(!names.is_empty(), "{query}");
            for name in names {
                let name = name.strip_suffix("_bucket").unwrap_or(name);
                assert!(metrics.contains(&format!("\"{name}\"")), "{query}: {name} is told by nothing");
            }
        }
    }
}

#[test]
fn every_alert_is_tested_and_leads_to_a_section_that_is_there() {
    let (alerts, tests, page) =
        (read("infra/prometheus/alerts.yml"), read("infra/prometheus/alerts_test.yml"), read("docs/operations.md"));
    let after = |line: &str, key: &str| line.trim().strip_prefix(key).map(|rest| rest.trim().to_owned());
    let names: Vec<String> = alerts.lines().filter_map(|line| after(line, "- alert:")).collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in &names {
        assert!(tests.contains(&format!("alertname=\"{name}\"")), "{name} is never seen to be raised");
    }
    let sections: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect();
    let books: Vec<String> = alerts.lines().filter_map(|line| after(line, "runbook_url:")).collect();
    assert_eq!(books.len(), names.len(), "an alert without a page");
    for book in books {
        let section = book.split_once("docs/operations.md#").map(|(_, section)| section.to_owned());
        assert!(section.is_some_and(|section| sections.contains(&section)), "{book} leads nowhere");
    }
}

#[test]
fn no_account_and_no_region_is_written_down() {
    let is_account = |word: &str| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_digit());
    for (file, lines) in std::iter::once(module()).chain(examples()).flat_map(|folder| folder.lines()) {
        for word in lines.iter().flat_map(|line| line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))) {
            assert!(!is_account(word), "{file}: account {word}");
            assert!(!is_region(word), "{file}: Region {word}");
        }
    }
    assert!(is_region("us-east-1") && is_region("ap-southeast-2") && is_region("us-gov-west-1"));
    assert!(!is_region("in-step-1") && !is_region("east-1"));
}

fn is_region(word: &str) -> bool {
    const DIRECTIONS: [&str; 9] =
        ["north", "south", "east", "west", "central", "northeast", "northwest", "southeast", "southwest"];
    let parts: Vec<&str> = word.split('-').collect();
    let [first, .., direction, last] = parts[..] else { return false };
    let is_digit = last.len() == 1 && last.bytes().all(|byte| byte.is_ascii_digit());
    first.len() == 2 && DIRECTIONS.contains(&direction) && is_digit
}

#[test]
fn what_a_linter_is_told_to_pass_over_has_a_reason() {
    let mut lines: Vec<String> = module().lines().into_iter().flat_map(|(_, lines)| lines).collect();
    lines.extend(read("Dockerfile").lines().map(str::to_owned));
    let skips: Vec<&str> = lines.iter().filter_map(|line| Some(line.split_once("checkov:skip=")?.1)).collect();
    assert!(!skips.is_empty());
    for skip in skips {
        let reason = skip.split_once(": ").map_or("", |(_, reason)| reason.trim());
        assert!(reason.split(' ').count() >= 3, "checkov:skip={skip} says no reason");
    }
}
