//! Turns what `SHOW CREATE VIEW | FUNCTION | PROCEDURE` prints into a statement that can be run without a default
//! database. Only the head is read; the body passes untouched.

use leeward_core::name::TableName;
use leeward_core::survey::ObjectKind;

use super::tokens::{Placed, Token, Tokens, Unreadable};
use crate::sql;

/// Tokens of a head before its name: `CREATE ALGORITHM = X DEFINER = a @ b SQL SECURITY X VIEW` are 15; more means that
/// this is no head that a server printed.
const HEAD_TOKENS_MAX: usize = 40;

/// Whose rights the object runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definer {
    /// The source's definer.
    Kept,
    /// The user who runs the statement.
    CurrentUser,
}

/// What happens to an object of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// The new one takes its place. MySQL knows this for views only.
    Replaced,
    /// The statement fails.
    Refused,
}

/// Returns the statement that makes a view, function or procedure under its full name.
pub fn create_object(
    kind: ObjectKind,
    name: &TableName,
    ddl: &str,
    (definer, existing): (Definer, Existing),
) -> Result<String, Unreadable> {
    let keyword = match kind {
        ObjectKind::View => "VIEW",
        ObjectKind::Function => "FUNCTION",
        ObjectKind::Procedure => "PROCEDURE",
        ObjectKind::Trigger | ObjectKind::Event => {
            return Err(Unreadable("a trigger or event, which is staged and not created"));
        }
    };
    rewrite(ddl, keyword, name, (definer, existing))
}

fn rewrite(
    ddl: &str,
    keyword: &str,
    name: &TableName,
    (definer, existing): (Definer, Existing),
) -> Result<String, Unreadable> {
    let mut tokens = Tokens::of(ddl);
    let mut head: Vec<Placed<'_>> = Vec::new();
    while !head.last().is_some_and(|token| token.is(keyword)) {
        if head.len() == HEAD_TOKENS_MAX {
            return Err(Unreadable("no head of the object's kind"));
        }
        head.push(tokens.next().ok_or(Unreadable("no head of the object's kind"))??);
    }
    let after_name = end_of_name(&mut tokens)?;
    let create = head.first().filter(|token| token.is("CREATE")).ok_or(Unreadable("no CREATE"))?;
    let mut statement = match existing {
        Existing::Replaced => "CREATE OR REPLACE".to_owned(),
        Existing::Refused => "CREATE".to_owned(),
    };
    let mut from = create.end;
    if definer == Definer::CurrentUser
        && let Some((start, end)) = definer_span(&head)
    {
        statement.push_str(&ddl[from..start]);
        statement.push_str("CURRENT_USER");
        from = end;
    }
    statement.push_str(&ddl[from..head[head.len() - 1].end]);
    statement.push(' ');
    statement.push_str(&sql::table(name));
    statement.push_str(&ddl[after_name..]);
    Ok(statement)
}

/// Reads a name, full or not, and no token more than needed: what follows may be a body with comments.
fn end_of_name(tokens: &mut Tokens<'_>) -> Result<usize, Unreadable> {
    let nameless = Unreadable("an object without a name");
    let first = tokens.next().ok_or(nameless.clone())??;
    // MySQL quotes with the mode under which a routine was made: under ANSI_QUOTES its name reads as a text.
    if matches!(first.token, Token::Mark(_)) {
        return Err(nameless);
    }
    match tokens.next() {
        Some(Ok(dot)) if dot.is_mark('.') => Ok(tokens.next().ok_or(nameless)??.end),
        _ => Ok(first.end),
    }
}

/// Returns where `user@host` stands.
fn definer_span(head: &[Placed<'_>]) -> Option<(usize, usize)> {
    let at = head.iter().position(|token| token.is("DEFINER"))?;
    let [equals, user, rest @ ..] = &head[at + 1..] else { return None };
    if !equals.is_mark('=') || matches!(user.token, Token::Mark(_)) {
        return None;
    }
    match rest {
        [mark, host, ..] if mark.is_mark('@') => Some((user.start, host.end)),
        _ => Some((user.start, user.end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_replaced_under_its_full_name() {
        let ddl = "CREATE ALGORITHM=UNDEFINED DEFINER=`we``ird`@`%` SQL SECURITY DEFINER VIEW `s`.`v` AS select 'VIEW `x`' AS `y`";
        let name = TableName::new("s", "v`w");
        assert_eq!(
            create_object(ObjectKind::View, &name, ddl, (Definer::Kept, Existing::Replaced)).unwrap(),
            "CREATE OR REPLACE ALGORITHM=UNDEFINED DEFINER=`we``ird`@`%` SQL SECURITY DEFINER VIEW `s`.`v``w` AS select 'VIEW `x`' AS `y`"
        );
        assert_eq!(
            create_object(ObjectKind::View, &name, ddl, (Definer::CurrentUser, Existing::Replaced)).unwrap(),
            "CREATE OR REPLACE ALGORITHM=UNDEFINED DEFINER=CURRENT_USER SQL SECURITY DEFINER VIEW `s`.`v``w` AS select 'VIEW `x`' AS `y`"
        );
    }

    #[test]
    fn a_body_with_comments_and_open_quotes_passes_untouched() {
        let ddl = "CREATE DEFINER=`root`@`%` PROCEDURE `p`(IN a INT)\nBEGIN\n -- don't\n # it's `open\nSELECT 1;\nEND";
        let made = create_object(
            ObjectKind::Procedure,
            &TableName::new("s", "p"),
            ddl,
            (Definer::CurrentUser, Existing::Refused),
        )
        .unwrap();
        assert_eq!(
            made,
            "CREATE DEFINER=CURRENT_USER PROCEDURE `s`.`p`(IN a INT)\nBEGIN\n -- don't\n # it's `open\nSELECT 1;\nEND"
        );
    }

    #[test]
    fn names_in_double_quotes_are_names() {
        let ddl = "CREATE DEFINER=\"root\"@\"%\" FUNCTION \"an si\"(a INT) RETURNS int\nRETURN a";
        let how = (Definer::CurrentUser, Existing::Replaced);
        assert_eq!(
            create_object(ObjectKind::Function, &TableName::new("s", "an si"), ddl, how).unwrap(),
            "CREATE OR REPLACE DEFINER=CURRENT_USER FUNCTION `s`.`an si`(a INT) RETURNS int\nRETURN a"
        );
    }

    #[test]
    fn a_trigger_is_never_created_here_t28() {
        let ddl = "CREATE DEFINER=`root`@`%` TRIGGER `t` BEFORE INSERT ON `x` FOR EACH ROW SET @a = 1";
        assert!(
            create_object(ObjectKind::Trigger, &TableName::new("s", "t"), ddl, (Definer::Kept, Existing::Refused))
                .is_err()
        );
    }
}
