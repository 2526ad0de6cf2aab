//! The options of a DHCP message (RFC 2132): continued over several (RFC 3396), and over other fields (RFC 2131 §4.1).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Range;

use super::FIXED_BYTES;

/// What options are called by.
pub mod code {
    #![expect(missing_docs, reason = "the names are those of RFC 2132")]
    pub const SUBNET_MASK: u8 = 1;
    pub const ROUTER: u8 = 3;
    pub const DOMAIN_NAME_SERVER: u8 = 6;
    pub const HOST_NAME: u8 = 12;
    pub const DOMAIN_NAME: u8 = 15;
    pub const BROADCAST_ADDRESS: u8 = 28;
    pub const REQUESTED_ADDRESS: u8 = 50;
    pub const LEASE_TIME: u8 = 51;
    pub const OVERLOAD: u8 = 52;
    pub const MESSAGE_TYPE: u8 = 53;
    pub const SERVER_IDENTIFIER: u8 = 54;
    pub const PARAMETER_REQUEST_LIST: u8 = 55;
    pub const MESSAGE: u8 = 56;
    pub const MAXIMUM_MESSAGE_SIZE: u8 = 57;
    pub const RENEWAL_TIME: u8 = 58;
    pub const REBINDING_TIME: u8 = 59;
    pub const CLIENT_IDENTIFIER: u8 = 61;
    pub const RELAY_AGENT_INFORMATION: u8 = 82;
}

const PAD: u8 = 0;
const END: u8 = 255;

/// Where the fields are that options may continue in.
const SNAME: Range<usize> = 44..108;
const FILE: Range<usize> = 108..236;

/// All options of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options(BTreeMap<u8, Vec<u8>>);

impl Options {
    /// Reads the options of a whole message; `None` if one of them is cut off.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let mut options = Self::default();
        options.add_all(message.get(FIXED_BYTES..)?)?;
        let overload = match options.0.remove(&code::OVERLOAD).as_deref() {
            None => 0,
            Some([fields @ 1..=3]) => *fields,
            Some(_) => return None,
        };
        // RFC 2131 §4.1: "The 'file' field MUST be interpreted next (if the 'option overload' option indicates that the
        // 'file' field contains DHCP options), followed by the 'sname' field."
        if overload & 1 != 0 {
            options.add_all(message.get(FILE)?)?;
        }
        if overload & 2 != 0 {
            options.add_all(message.get(SNAME)?)?;
        }
        // Whoever overloads once more in an overloaded field gets nothing for it.
        options.0.remove(&code::OVERLOAD);
        Some(options)
    }

    fn add_all(&mut self, field: &[u8]) -> Option<()> {
        for option in walk(field) {
            let (code, value) = option.ok()?;
            // RFC 3396 §7: "the decoding agent concatenates the contents of all instances of that option".
            self.0.entry(code).or_default().extend(value);
        }
        Some(())
    }

    /// Writes them behind the fixed part of a message, of which `sname` and `file` take what does not fit.
    pub(super) fn write(&self, message: &mut Vec<u8>, most: usize) {
        let mut in_order: Vec<(&u8, &Vec<u8>)> = self.0.iter().collect();
        // RFC 3046 §2.1: relay agent information stands last.
        in_order
            .sort_by_key(|(code, _)| (**code != code::MESSAGE_TYPE, **code == code::RELAY_AGENT_INFORMATION, **code));
        // Room is kept for the word that options overflow, and for the end.
        let mut room = most.saturating_sub(message.len() + 4);
        let (mut file, mut sname) = (Vec::new(), Vec::new());
        for (code, value) in in_order {
            let option = encoded(*code, value);
            let field = if option.len() <= room {
                room -= option.len();
                &mut *message
            } else if file.len() + option.len() < FILE.len() {
                &mut file
            } else if sname.len() + option.len() < SNAME.len() {
                &mut sname
            } else {
                continue;
            };
            field.extend(option);
        }
        let overload = u8::from(!file.is_empty()) | u8::from(!sname.is_empty()) << 1;
        if overload != 0 {
            message.extend([code::OVERLOAD, 1, overload]);
        }
        message.push(END);
        for (mut field, place) in [(file, FILE), (sname, SNAME)] {
            if !field.is_empty() {
                // "MUST be terminated by an 'end' option, and MUST be followed by 'pad' options to fill the remainder".
                field.push(END);
                field.resize(place.len(), PAD);
                message[place].copy_from_slice(&field);
            }
        }
    }

    /// An option's value.
    #[must_use]
    pub fn get(&self, code: u8) -> Option<&[u8]> {
        self.0.get(&code).map(Vec::as_slice)
    }

    /// An option that is one address; `None` too if it has another length.
    #[must_use]
    pub fn address(&self, code: u8) -> Option<Ipv4Addr> {
        <[u8; 4]>::try_from(self.get(code)?).ok().map(Ipv4Addr::from)
    }

    /// An option that is a list of addresses; none if it is malformed.
    #[must_use]
    pub fn addresses(&self, code: u8) -> Vec<Ipv4Addr> {
        let (addresses, rest) = self.get(code).unwrap_or_default().as_chunks::<4>();
        if rest.is_empty() { addresses.iter().map(|bytes| (*bytes).into()).collect() } else { Vec::new() }
    }

    /// An option that is a number of seconds.
    #[must_use]
    pub fn seconds(&self, code: u8) -> Option<u32> {
        <[u8; 4]>::try_from(self.get(code)?).ok().map(u32::from_be_bytes)
    }

    /// An option that is a number of 16 bits.
    #[must_use]
    pub fn number(&self, code: u8) -> Option<u16> {
        <[u8; 2]>::try_from(self.get(code)?).ok().map(u16::from_be_bytes)
    }

    /// An option that is text: what is printable of it, without what some put behind.
    #[must_use]
    pub fn text(&self, code: u8) -> Option<String> {
        let bytes = self.get(code)?;
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        let is_plain = !text.is_empty() && text.iter().all(u8::is_ascii_graphic);
        is_plain.then(|| String::from_utf8_lossy(text).into_owned())
    }

    /// Sets an option.
    pub fn set(&mut self, code: u8, value: Vec<u8>) {
        self.0.insert(code, value);
    }

    /// Sets an option that is one address.
    pub fn set_address(&mut self, code: u8, address: Ipv4Addr) {
        self.set(code, address.octets().to_vec());
    }

    /// Sets an option that is a list of addresses, unless the list is empty.
    pub fn set_addresses(&mut self, code: u8, addresses: &[Ipv4Addr]) {
        if !addresses.is_empty() {
            self.set(code, addresses.iter().flat_map(Ipv4Addr::octets).collect());
        }
    }

    /// Sets an option that is a number of seconds.
    pub fn set_seconds(&mut self, code: u8, seconds: u32) {
        self.set(code, seconds.to_be_bytes().to_vec());
    }

    /// Takes an option away.
    pub fn remove(&mut self, code: u8) {
        self.0.remove(&code);
    }
}

/// An option as it stands in a message: in several instances if it is long.
fn encoded(code: u8, value: &[u8]) -> Vec<u8> {
    if value.is_empty() {
        return vec![code, 0];
    }
    value.chunks(255).flat_map(|piece| [&[code, piece.len() as u8], piece].concat()).collect()
}

/// An option is longer than what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CutOff;

/// The options of one field, one by one, up to its end.
pub(super) fn walk(field: &[u8]) -> impl Iterator<Item = Result<(u8, &[u8]), CutOff>> {
    let mut rest = field;
    std::iter::from_fn(move || {
        while let [PAD, more @ ..] = rest {
            rest = more;
        }
        match *rest {
            [] | [END, ..] => None,
            [code, length, ref more @ ..] if more.len() >= usize::from(length) => {
                let (value, behind) = more.split_at(usize::from(length));
                rest = behind;
                Some(Ok((code, value)))
            }
            _ => {
                rest = &[];
                Some(Err(CutOff))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(field: &[u8]) -> Option<Options> {
        Options::read(&[&[0; FIXED_BYTES], field].concat())
    }

    #[test]
    fn pads_are_passed_over_the_end_ends_it_and_what_is_cut_off_is_refused() {
        let options = read(&[0, 0, 51, 4, 0, 0, 0, 9, 0, 12, 2, b'h', 0, 255, 9, 9, 9]).unwrap();
        assert_eq!((options.seconds(51), options.text(12), options.get(9)), (Some(9), Some("h".into()), None));
        assert_eq!(read(&[51, 4, 0, 0, 0]), None);
        assert_eq!(read(&[51]), None);
        assert_eq!(read(&[]), Some(Options::default()));
    }

    #[test]
    fn a_value_of_the_wrong_length_is_none() {
        let options = read(&[1, 3, 255, 255, 255, 3, 5, 1, 2, 3, 4, 5, 57, 1, 9, 12, 1, 7]).unwrap();
        assert_eq!((options.address(1), options.addresses(3), options.number(57)), (None, vec![], None));
        assert_eq!(options.text(12), None, "a bell is no name");
    }

    #[test]
    fn an_option_that_comes_twice_is_one() {
        let options = read(&[3, 4, 10, 0, 0, 1, 3, 4, 10, 0, 0, 2, 255]).unwrap();
        assert_eq!(options.addresses(3), [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)]);
    }

    #[test]
    fn options_that_do_not_fit_continue_in_file_and_sname_and_are_found_there() {
        let mut options = Options::default();
        options.set(code::MESSAGE_TYPE, vec![5]);
        // 290 bytes over two instances, then what fills both other fields.
        options.set(43, vec![7; 290]);
        options.set(60, vec![8; 100]);
        options.set(code::CLIENT_IDENTIFIER, vec![9; 50]);
        let mut message = vec![0; FIXED_BYTES];
        options.write(&mut message, 548);
        assert!(message.len() <= 548, "{}", message.len());
        assert_eq!(message[240..243], [53, 1, 5], "the type comes first");
        assert_eq!(Options::read(&message), Some(options.clone()));
        // Where all may stand behind the fixed part, nothing overflows.
        let mut message = vec![0; FIXED_BYTES];
        options.write(&mut message, 1472);
        assert_eq!(message[44..236], [0; 192]);
        assert_eq!(Options::read(&message), Some(options));
    }

    #[test]
    fn what_fits_nowhere_is_left_out_and_the_rest_is_whole() {
        let mut options = Options::default();
        options.set(code::MESSAGE_TYPE, vec![2]);
        options.set(43, vec![7; 255]);
        options.set(60, vec![8; 255]);
        let mut message = vec![0; FIXED_BYTES];
        options.write(&mut message, 548);
        let read = Options::read(&message).unwrap();
        assert!(read.get(43).is_some() && read.get(60).is_none() && message.len() <= 548);
    }

    #[test]
    fn an_overload_that_is_none_is_refused() {
        assert_eq!(read(&[52, 1, 4, 255]), None);
        assert_eq!(read(&[52, 2, 1, 1, 255]), None);
        assert!(read(&[52, 1, 3, 255]).is_some(), "two empty fields");
    }
}
