//! Follows where requests begin and end on a connection, beside hyper, for two things that hyper keeps to
//! itself: whether a head had both a length and chunks, and whether a request was read to its end.
//!
//! Both in one head is how requests are smuggled past a proxy that believes the other one (RFC 9112, 6.1);
//! hyper takes the chunks and hides the length. The end of a chunked body is not looked for here: after a
//! chunked request the connection is closed. Should this reading ever differ from hyper's, what is lost is
//! a courtesy: hyper alone decides what is a request.

use std::io::BufRead;

/// The reading of one connection, fed with its bytes in order.
#[derive(Debug, Default)]
pub(super) struct Framing {
    place: Place,
    /// A line of a head of which only the beginning has arrived.
    partial: Vec<u8>,
    head: Head,
    /// Heads that were read whole.
    heads: u64,
    both_lengths_at: Option<u64>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before or within a head.
    #[default]
    Head,
    /// Within a body that has so many bytes left.
    Body { left: u64 },
    /// Somewhere in or after a chunked or ill-formed request, which is the connection's last.
    Last,
}

#[derive(Debug, Default)]
struct Head {
    begun: bool,
    content_length: Option<u64>,
    transfer_encoding: bool,
}

impl Framing {
    /// Takes the next bytes.
    pub(super) fn read(&mut self, mut bytes: &[u8], head_bytes_max: usize) {
        while !bytes.is_empty() {
            match self.place {
                Place::Last => return,
                Place::Body { left } => {
                    let available = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    let taken = left.min(available);
                    bytes = &bytes[usize::try_from(taken).unwrap_or(bytes.len())..];
                    self.place = if taken == left { Place::Head } else { Place::Body { left: left - taken } };
                }
                Place::Head => bytes = self.read_line(bytes, head_bytes_max),
            }
        }
    }

    /// Whether the head with this number, counted from 0, had both a length and chunks.
    pub(super) fn has_both_lengths(&self, head: u64) -> bool {
        self.both_lengths_at == Some(head)
    }

    /// Whether everything that was sent up to now was read, as far as it belongs to a request.
    pub(super) fn is_between_requests(&self) -> bool {
        self.place == Place::Head && !self.head.begun && self.partial.is_empty()
    }

    fn read_line<'b>(&mut self, bytes: &'b [u8], head_bytes_max: usize) -> &'b [u8] {
        let mut rest = bytes;
        // Reading from memory does not fail; this is the search for a byte that the standard library does
        // several bytes at once.
        let length = rest.skip_until(b'\n').unwrap_or(bytes.len());
        let line = &bytes[..length];
        if line.last() != Some(&b'\n') {
            self.partial.extend_from_slice(line);
            if self.partial.len() > head_bytes_max {
                self.place = Place::Last;
            }
        } else if self.partial.is_empty() {
            self.take_line(line);
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(line);
            self.take_line(&whole);
        }
        rest
    }

    fn take_line(&mut self, line: &[u8]) {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            // Empty lines before a request are skipped, as hyper does.
            if self.head.begun {
                self.end_head();
            }
        } else if !self.head.begun {
            self.head.begun = true;
        } else if let Some(value) = field(line, b"content-length") {
            match std::str::from_utf8(value).ok().and_then(|value| value.trim_ascii().parse().ok()) {
                Some(length) => self.head.content_length = Some(length),
                None => self.place = Place::Last,
            }
        } else if field(line, b"transfer-encoding").is_some() {
            self.head.transfer_encoding = true;
        }
    }

    fn end_head(&mut self) {
        let head = std::mem::take(&mut self.head);
        self.place = match (head.transfer_encoding, head.content_length) {
            (true, length) => {
                if length.is_some() {
                    self.both_lengths_at = Some(self.heads);
                }
                Place::Last
            }
            (false, Some(left @ 1..)) => Place::Body { left },
            (false, Some(0) | None) => Place::Head,
        };
        self.heads += 1;
    }
}

/// The value of the field on this line, if it has this name.
fn field<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    let value = value.strip_prefix(b":")?;
    start.eq_ignore_ascii_case(name).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD_BYTES_MAX: usize = 1024;

    /// Feeds the bytes in pieces of every size and says at which head both lengths stood, and whether
    /// the end is between two requests; it must not depend on the pieces.
    fn read(bytes: &str) -> (Option<u64>, bool) {
        let mut results = (1..=bytes.len().max(1)).map(|size| {
            let mut framing = Framing::default();
            for piece in bytes.as_bytes().chunks(size) {
                framing.read(piece, HEAD_BYTES_MAX);
            }
            (framing.both_lengths_at, framing.is_between_requests())
        });
        let first = results.next().unwrap();
        assert!(results.all(|result| result == first), "{bytes:?}");
        first
    }

    #[test]
    fn both_lengths_are_seen_in_either_order_and_case() {
        for head in [
            "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding:chunked\r\nHost: x\r\nCONTENT-LENGTH:5\r\n\r\n",
            "POST / HTTP/1.1\nContent-Length: 5\nTransfer-Encoding: chunked\n\n",
        ] {
            assert_eq!(read(head).0, Some(0), "{head:?}");
        }
    }

    #[test]
    fn either_alone_is_fine_and_names_that_only_look_alike_do_not_count() {
        assert_eq!(read("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), (None, true));
        assert_eq!(read("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"), (None, true));
        assert_eq!(read("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), (None, false));
        let alike = "POST / HTTP/1.1\r\nX-Content-Length: 5\r\nContent-Lengths: 9\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(read(alike).0, None);
    }

    #[test]
    fn bodies_are_not_read_as_heads_and_later_requests_are_found() {
        let body = "a: b\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let first = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        assert_eq!(read(&first), (None, true));
        let second = "\r\nPOST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(read(&format!("{first}{second}")).0, Some(1));
    }

    #[test]
    fn an_unfinished_request_is_known_as_such() {
        assert_eq!(read("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab"), (None, false));
        assert_eq!(read("POST / HT"), (None, false));
        assert_eq!(read("POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n"), (None, false));
        assert_eq!(read(&format!("GET /{} HTTP/1.1", "x".repeat(2 * HEAD_BYTES_MAX))), (None, false));
    }

    proptest::proptest! {
        /// Whatever comes, in whatever pieces: no panic, and the pieces make no difference.
        #[test]
        fn any_bytes_are_taken(text in "(POST / HTTP/1.1|[A-Za-z-]{1,17}: ?[0-9a-z+-]{0,20}|Content-Length: ?[0-9]{1,20}|Transfer-Encoding: chunked|\\PC{0,30}|\r?\n|\r\n\r\n|:|\x00){1,20}") {
            read(&text);
        }
    }
}
