//! Names, types and records as zone files and `dig` spell them.

use domain::base::iana::{OptRcode, Rtype};
use domain::base::zonefile_fmt::{DisplayKind, ZonefileFmt};

use super::{Data, Name};

/// `www.example.com.`; the root is `.`.
pub(crate) fn name_text(name: &Name) -> String {
    name.fmt_with_dot().to_string()
}

/// `AAAA`; `TYPE65280` where there is no better name (RFC 3597 §5).
pub(crate) fn type_word(rtype: Rtype) -> String {
    rtype.to_string()
}

/// `NOERROR`; `RESERVED11` where there is no better name, as `dig` has it.
pub(crate) fn rcode_word(rcode: OptRcode) -> String {
    match rcode {
        // RFC 6891 and RFC 8945 share the number; here it can only be the former.
        OptRcode::BADVERS => "BADVERS".to_owned(),
        _ => rcode.to_mnemonic_str().map_or_else(|| format!("RESERVED{}", rcode.to_int()), str::to_owned),
    }
}

/// What stands behind the type in a zone file: `10 mail.example.com.`
pub(crate) fn data_text(data: &Data) -> String {
    data.display_zonefile(DisplayKind::Simple).to_string()
}
