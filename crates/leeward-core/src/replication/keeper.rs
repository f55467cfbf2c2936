//! Who keeps a target in step: Leeward, the servers' own replication, both or nobody. It is told from what is seen of the
//! target and of the source, in one place for every command that asks; what cannot be seen stays unseen.

use super::{Channel, ServerId};

/// Who keeps a target in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper<'a> {
    /// Leeward: its control schema is there, and nothing is seen to come from the source.
    Leeward,
    /// The servers, over this channel.
    Replication(&'a Channel),
    /// Both: two writers of one copy.
    Both(&'a Channel),
    /// Neither: there is no control schema, and the target is no replica.
    Nobody,
    /// Neither: it replicates from another server.
    Elsewhere(&'a [Channel], &'a ServerId),
    /// There is no control schema, and the channels could not be seen; why.
    ChannelsUnseen(&'a str),
    /// There is no control schema but a replica, and how the source names itself could not be seen; why.
    SourceUnseen(&'a str),
}

/// Tells who keeps the target, from whether Leeward's control schema is there (`marks`), the target's channels and the
/// source's name for itself, each of the two as it was seen or why it was not.
pub fn keeper<'a>(
    marks: bool,
    channels: Result<&'a [Channel], &'a str>,
    source: Result<&'a ServerId, &'a str>,
) -> Keeper<'a> {
    match (channels, source) {
        (Ok([]), _) if !marks => Keeper::Nobody,
        (Ok(channels), Ok(source)) => {
            let ours = channels.iter().find(|channel| channel.comes_from(source));
            match (ours, marks) {
                (Some(channel), false) => Keeper::Replication(channel),
                (Some(channel), true) => Keeper::Both(channel),
                (None, true) => Keeper::Leeward,
                (None, false) => Keeper::Elsewhere(channels, source),
            }
        }
        _ if marks => Keeper::Leeward,
        (Err(why), _) => Keeper::ChannelsUnseen(why),
        (Ok(_), Err(why)) => Keeper::SourceUnseen(why),
    }
}

/// Says where channels lead that do not lead to the source.
pub fn elsewhere(channels: &[Channel], source: &ServerId) -> String {
    let others: Vec<String> = channels.iter().map(Channel::label).collect();
    format!("it replicates from elsewhere ({}), and the source is server {}", others.join(", "), source.number)
}

#[cfg(test)]
mod tests {
    use super::super::{LogPosition, Worker};
    use super::*;

    fn server(number: u64) -> ServerId {
        ServerId { number, uuid: None }
    }

    fn channel(from: u64) -> Channel {
        let nowhere = LogPosition { file: String::new(), offset: 0 };
        Channel {
            name: String::new(),
            source: server(from),
            receiver: Worker::Running,
            applier: Worker::Running,
            receiver_error: 0,
            applier_error: 0,
            behind_s: None,
            delay_s: 0,
            received: nowhere.clone(),
            applied: nowhere,
            filters: Vec::new(),
        }
    }

    const UNSEEN: &str = "not allowed";

    #[test]
    fn a_channel_from_the_source_keeps_the_target_and_marks_beside_it_are_a_second_writer() {
        let (source, channels) = (server(1), [channel(2), channel(1)]);
        assert_eq!(keeper(false, Ok(&channels), Ok(&source)), Keeper::Replication(&channels[1]));
        assert_eq!(keeper(true, Ok(&channels), Ok(&source)), Keeper::Both(&channels[1]));
    }

    #[test]
    fn marks_alone_are_leewards_whatever_is_not_seen() {
        let (source, other) = (server(1), [channel(2)]);
        for channels in [Err(UNSEEN), Ok([].as_slice()), Ok(other.as_slice())] {
            for source in [Err(UNSEEN), Ok(&source)] {
                assert_eq!(keeper(true, channels, source), Keeper::Leeward);
            }
        }
    }

    #[test]
    fn without_marks_what_is_not_seen_is_not_taken_for_nobody() {
        let (source, other) = (server(1), [channel(2)]);
        assert_eq!(keeper(false, Ok(&[]), Err(UNSEEN)), Keeper::Nobody);
        assert_eq!(keeper(false, Ok(&other), Ok(&source)), Keeper::Elsewhere(&other, &source));
        assert_eq!(keeper(false, Err(UNSEEN), Ok(&source)), Keeper::ChannelsUnseen(UNSEEN));
        assert_eq!(keeper(false, Ok(&other), Err(UNSEEN)), Keeper::SourceUnseen(UNSEEN));
        assert!(elsewhere(&other, &source).contains("server 2"));
    }
}
