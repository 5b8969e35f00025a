//! The licences that repositories carry, in GitHub's words.

/// A licence: its key, name and SPDX id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct License {
    /// GitHub's key: `mit`.
    pub key: &'static str,
    /// The name in full.
    pub name: &'static str,
    /// The SPDX id: `MIT`.
    pub spdx_id: &'static str,
}

/// The licences that the random life hands out; the last is how GitHub writes one that it cannot tell.
pub const LICENSES: [License; 5] = [
    License { key: "mit", name: "MIT License", spdx_id: "MIT" },
    License { key: "apache-2.0", name: "Apache License 2.0", spdx_id: "Apache-2.0" },
    License { key: "gpl-3.0", name: "GNU General Public License v3.0", spdx_id: "GPL-3.0" },
    License {
        key: "bsd-3-clause",
        name: "BSD 3-Clause \"New\" or \"Revised\" License",
        spdx_id: "BSD-3-Clause",
    },
    License { key: "other", name: "Other", spdx_id: "NOASSERTION" },
];
