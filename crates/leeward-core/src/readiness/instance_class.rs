//! How large an instance class is, told from its name: RDS has no call that says it. A family that is not listed here
//! has no size, and then nothing is concluded from it.

/// Size of an instance class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ClassSize {
    /// Virtual processors.
    pub(super) vcpus: u32,
    /// Memory, GiB.
    pub(super) memory_gib: f64,
}

impl ClassSize {
    /// Returns the size of `db.r6g.2xlarge`.
    pub(super) fn of(class: &str) -> Option<ClassSize> {
        let (family, size) = class.strip_prefix("db.")?.split_once('.')?;
        if family.starts_with('t') {
            return burstable(size);
        }
        // db.r5.6xlarge.tpc2.mem4x and its kin have sizes of their own.
        let vcpus = vcpus(size)?;
        Some(ClassSize { vcpus, memory_gib: f64::from(vcpus) * memory_per_vcpu(family)? })
    }

    /// Returns whether it is as large as another in both respects.
    pub(super) fn covers(self, other: ClassSize) -> bool {
        self.vcpus >= other.vcpus && self.memory_gib >= other.memory_gib
    }
}

fn vcpus(size: &str) -> Option<u32> {
    match size {
        "medium" => Some(1),
        "large" => Some(2),
        "xlarge" => Some(4),
        _ => {
            let times: u32 = size.strip_suffix("xlarge")?.parse().ok()?;
            times.checked_mul(4)
        }
    }
}

/// The two largest of the older burstable ones differ between t2, t3 and t4g in nothing that counts here.
fn burstable(size: &str) -> Option<ClassSize> {
    let (vcpus, memory_gib) = match size {
        "micro" => (2, 1.0),
        "small" => (2, 2.0),
        "medium" => (2, 4.0),
        "large" => (2, 8.0),
        "xlarge" => (4, 16.0),
        "2xlarge" => (8, 32.0),
        _ => return None,
    };
    Some(ClassSize { vcpus, memory_gib })
}

/// GiB of memory that come with a virtual processor, by the letters of the family.
fn memory_per_vcpu(family: &str) -> Option<f64> {
    let letters = family.trim_end_matches(|c: char| c.is_ascii_alphanumeric() && !c.is_ascii_digit());
    let letters = letters.trim_end_matches(|c: char| c.is_ascii_digit());
    match (letters, family) {
        ("r", _) => Some(8.0),
        ("m", _) => Some(4.0),
        ("c", _) => Some(2.0),
        ("z", _) => Some(8.0),
        ("x", "x2iedn" | "x1e") => Some(32.0),
        ("x", _) => Some(16.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_class_tells_its_size() {
        let cases = [
            ("db.r6g.large", 2, 16.0),
            ("db.r5b.2xlarge", 8, 64.0),
            ("db.m7g.xlarge", 4, 16.0),
            ("db.m6gd.16xlarge", 64, 256.0),
            ("db.t4g.medium", 2, 4.0),
            ("db.x2iedn.xlarge", 4, 128.0),
            ("db.x2g.large", 2, 32.0),
        ];
        for (class, vcpus, memory_gib) in cases {
            assert_eq!(ClassSize::of(class), Some(ClassSize { vcpus, memory_gib }), "{class}");
        }
        for odd in ["db.q9.large", "db.r6g", "r6g.large", "db.r5.6xlarge.tpc2.mem4x", "db.r6g.huge", "db.serverless"] {
            assert_eq!(ClassSize::of(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_class_covers_another_in_both_respects_or_not_at_all() {
        let size = |class| ClassSize::of(class).unwrap();
        assert!(size("db.r6g.xlarge").covers(size("db.m6g.xlarge")));
        assert!(!size("db.m6g.2xlarge").covers(size("db.r6g.2xlarge")));
        assert!(!size("db.r6g.large").covers(size("db.c6gd.xlarge")));
    }
}
