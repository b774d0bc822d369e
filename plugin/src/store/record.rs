//! The encoding: one byte of version, then the fields in order. Numbers are little-endian. A text or a list of bytes is
//! preceded by its length in two bytes. An option and a variant begin with one byte for the case, and a list with one byte for
//! its length.
//!
//! Version 2 added an account's emails and a link's email at the end; version 1 reads as having none. Version 3 keeps the
//! newest link of each origin. Before, one link replaced all others, so an older record's link counts for each origin.

use crate::bindings::types::MailId;
use std::fmt;

const VERSION: u8 = 3;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RecordError {
    /// Written by a newer plugin.
    Version(u8),
    /// It doesn't fit its version.
    Damaged(&'static str),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::Version(found) => write!(
                f,
                "it has version {found} of the format, and this plugin reads up to {VERSION}: run the newer plugin that wrote it"
            ),
            RecordError::Damaged(what) => write!(f, "damaged: {what}"),
        }
    }
}

/// What the plugin knows about one account. A record of another session epoch than the credential's doesn't count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AccountRecord {
    pub(crate) password: Option<PasswordRecord>,
    /// The newest link of each origin: no other link of these origins works.
    pub(crate) newest_links: Vec<NewestLink>,
    /// Emails that may still be sent, and always the latest; the latest last.
    pub(crate) mails: Vec<SecretMail>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PasswordRecord {
    /// The session epoch that began with it.
    pub(crate) epoch: String,
    pub(crate) state: State,
    /// When, in milliseconds since 1970.
    pub(crate) changed: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Set,
    MustChange,
    /// Expires then, and must be changed at the first sign-in.
    Temporary {
        until: i64,
    },
}

/// The newest link of its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewestLink {
    pub(crate) origin: Origin,
    pub(crate) digest: Vec<u8>,
    pub(crate) made: i64,
}

/// An email with a password or a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretMail {
    pub(crate) mail: MailId,
    pub(crate) carries: Carries,
    /// The session epoch when it was queued: under another one its secret is void.
    pub(crate) epoch: String,
    pub(crate) queued: i64,
    /// When its secret expires.
    pub(crate) until: Option<i64>,
    /// Sessions that ended with the old password; none if that still works, or the panel can't say.
    pub(crate) sessions_ended: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carries {
    TemporaryPassword,
    PermanentPassword,
    Link(AskedBy),
}

/// Who had a link emailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AskedBy {
    /// Somebody who forgot the password, or claims so.
    Owner,
    /// A manager of the account.
    Support,
}

impl Carries {
    pub(crate) fn is_link(self) -> bool {
        matches!(self, Carries::Link(_))
    }
}

/// One link that chooses a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkRecord {
    pub(crate) account: String,
    pub(crate) origin: Origin,
    /// Under another session epoch the link is void.
    pub(crate) epoch: String,
    pub(crate) made: i64,
    pub(crate) until: i64,
    pub(crate) used: Option<i64>,
    /// The email with it: the link is void if that went to an address that the account no longer has.
    pub(crate) mail: Option<MailId>,
}

/// The origin of a link. A newer link replaces only those of its own origin: a request at Forgotten password can't void what
/// support has sent or handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Emailed to somebody who forgot the password, or claims so.
    Asked,
    /// Emailed by a manager.
    Mailed,
    /// Handed to a manager, to pass it on.
    HandedOn,
    /// The answer to a sign-in that must choose a new password first.
    SignIn,
}

impl Origin {
    /// How many of them work at once. If a sign-in is sent twice, nobody knows which answer the browser shows.
    pub(crate) fn living(self) -> usize {
        match self {
            Origin::Asked | Origin::Mailed | Origin::HandedOn => 1,
            Origin::SignIn => 8,
        }
    }

    fn tag(self) -> u8 {
        match self {
            Origin::HandedOn => 0,
            Origin::SignIn => 1,
            Origin::Mailed => 2,
            Origin::Asked => 3,
        }
    }

    fn of_tag(tag: u8) -> Result<Self, RecordError> {
        Ok(match tag {
            0 => Origin::HandedOn,
            1 => Origin::SignIn,
            2 => Origin::Mailed,
            3 => Origin::Asked,
            _ => return Err(RecordError::Damaged("no such origin")),
        })
    }
}

impl From<AskedBy> for Origin {
    fn from(asked_by: AskedBy) -> Self {
        match asked_by {
            AskedBy::Owner => Origin::Asked,
            AskedBy::Support => Origin::Mailed,
        }
    }
}

impl AccountRecord {
    /// The newest of an origin, if any was made under the current password.
    pub(crate) fn newest_of(&self, origin: Origin) -> Option<&NewestLink> {
        self.newest_links.iter().rfind(|link| link.origin == origin)
    }

    /// Adds a new link, and drops the oldest of its origin if too many would work.
    pub(crate) fn note_link(&mut self, link: NewestLink) {
        let origin = link.origin;
        self.newest_links.push(link);
        let too_many =
            |links: &[NewestLink]| links.iter().filter(|link| link.origin == origin).count() > origin.living();
        while too_many(&self.newest_links)
            && let Some(oldest) = self.newest_links.iter().position(|link| link.origin == origin)
        {
            self.newest_links.remove(oldest);
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.option(self.password.as_ref(), |w, password| {
            w.text(&password.epoch);
            match password.state {
                State::Set => w.tag(0),
                State::MustChange => w.tag(1),
                State::Temporary { until } => {
                    w.tag(2);
                    w.time(until);
                }
            }
            w.time(password.changed);
        });
        w.list(&self.newest_links, |w, link| {
            w.tag(link.origin.tag());
            w.bytes(&link.digest);
            w.time(link.made);
        });
        w.list(&self.mails, |w, mail| {
            w.text(&mail.mail);
            w.tag(match mail.carries {
                Carries::TemporaryPassword => 0,
                Carries::PermanentPassword => 1,
                Carries::Link(AskedBy::Support) => 2,
                Carries::Link(AskedBy::Owner) => 3,
            });
            w.text(&mail.epoch);
            w.time(mail.queued);
            w.option(mail.until.as_ref(), |w, until| w.time(*until));
            w.option(mail.sessions_ended.as_ref(), |w, sessions| w.time((*sessions).into()));
        });
        w.0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut r = Reader::new(bytes)?;
        let password = r.option(|r| {
            let epoch = r.text()?;
            let state = match r.tag()? {
                0 => State::Set,
                1 => State::MustChange,
                2 => State::Temporary { until: r.time()? },
                _ => return Err(RecordError::Damaged("no such state")),
            };
            Ok(PasswordRecord { epoch, state, changed: r.time()? })
        })?;
        let newest_links = if r.version < 3 {
            let newest = r.option(|r| Ok((r.bytes()?.to_vec(), r.time()?)))?;
            let of = |(digest, made): (Vec<u8>, i64)| {
                [Origin::Asked, Origin::Mailed, Origin::HandedOn]
                    .map(|origin| NewestLink { origin, digest: digest.clone(), made })
                    .into()
            };
            newest.map_or_else(Vec::new, of)
        } else {
            r.list(|r| {
                Ok(NewestLink { origin: Origin::of_tag(r.tag()?)?, digest: r.bytes()?.to_vec(), made: r.time()? })
            })?
        };
        let mails = if r.version < 2 { Vec::new() } else { r.list(secret_mail)? };
        r.end(AccountRecord { password, newest_links, mails })
    }
}

fn secret_mail(r: &mut Reader) -> Result<SecretMail, RecordError> {
    Ok(SecretMail {
        mail: r.text()?,
        carries: match r.tag()? {
            0 => Carries::TemporaryPassword,
            1 => Carries::PermanentPassword,
            2 => Carries::Link(AskedBy::Support),
            3 => Carries::Link(AskedBy::Owner),
            _ => return Err(RecordError::Damaged("a mail carries no such thing")),
        },
        epoch: r.text()?,
        queued: r.time()?,
        until: r.option(Reader::time)?,
        sessions_ended: r.option(|r| u32::try_from(r.time()?).map_err(|_| RecordError::Damaged("no count")))?,
    })
}

impl LinkRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.text(&self.account);
        w.tag(self.origin.tag());
        w.text(&self.epoch);
        w.time(self.made);
        w.time(self.until);
        w.option(self.used.as_ref(), |w, used| w.time(*used));
        w.option(self.mail.as_ref(), |w, mail| w.text(mail));
        w.0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut r = Reader::new(bytes)?;
        let account = r.text()?;
        let origin = Origin::of_tag(r.tag()?)?;
        let (epoch, made, until) = (r.text()?, r.time()?, r.time()?);
        let used = r.option(Reader::time)?;
        let mail = if r.version < 2 { None } else { r.option(Reader::text)? };
        // Before, the record did not say whether the link was handed over.
        let origin =
            if r.version < 3 && origin == Origin::HandedOn && mail.is_some() { Origin::Mailed } else { origin };
        r.end(LinkRecord { account, origin, epoch, made, until, used, mail })
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn new() -> Self {
        Writer(vec![VERSION])
    }

    fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    fn time(&mut self, millis: i64) {
        self.0.extend_from_slice(&millis.to_le_bytes());
    }

    /// Account ids have at most 64 bytes, digests 32, and the host makes epochs: all far below what two bytes can count.
    fn bytes(&mut self, bytes: &[u8]) {
        let length = u16::try_from(bytes.len()).expect("a field of a record has less than 64 KiB");
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// An account has at most three emails, one with a password and two with links; and for each origin the links that work.
    fn list<T>(&mut self, values: &[T], write: impl Fn(&mut Self, &T)) {
        self.tag(u8::try_from(values.len()).expect("a list of a record has less than 256 entries"));
        values.iter().for_each(|value| write(self, value));
    }

    fn option<T: ?Sized>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        match value {
            None => self.tag(0),
            Some(value) => {
                self.tag(1);
                write(self, value);
            }
        }
    }
}

struct Reader<'a> {
    version: u8,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, RecordError> {
        match bytes.split_first() {
            Some((&version @ 1..=VERSION, rest)) => Ok(Reader { version, rest }),
            Some((&other, _)) => Err(RecordError::Version(other)),
            None => Err(RecordError::Damaged("empty")),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(RecordError::Damaged("too short"))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn tag(&mut self) -> Result<u8, RecordError> {
        self.take().map(|[tag]| tag)
    }

    fn time(&mut self) -> Result<i64, RecordError> {
        self.take().map(i64::from_le_bytes)
    }

    fn bytes(&mut self) -> Result<&'a [u8], RecordError> {
        let length = usize::from(u16::from_le_bytes(self.take()?));
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(RecordError::Damaged("too short"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn text(&mut self) -> Result<String, RecordError> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| RecordError::Damaged("not UTF-8"))
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, RecordError>) -> Result<Option<T>, RecordError> {
        match self.tag()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(RecordError::Damaged("neither none nor some")),
        }
    }

    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, RecordError>) -> Result<Vec<T>, RecordError> {
        (0..self.tag()?).map(|_| read(self)).collect()
    }

    fn end<T>(self, value: T) -> Result<T, RecordError> {
        if self.rest.is_empty() { Ok(value) } else { Err(RecordError::Damaged("too long")) }
    }
}
