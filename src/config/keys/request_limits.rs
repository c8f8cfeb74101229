//! Keys of request limits: of an ApiUser, of each ApiUser with a role, and of all requests of a route together.
//!
//! They stand in the tables `[api_user.NAME]`, `[role.NAME]` and `[[route]]`.

use super::key::Key;
use super::value::*;

/// Upper bound of rates, bursts and concurrency.
pub(in crate::config) const MOST: u32 = 1_000_000;
pub(in crate::config) static BODY_SIZE: Key<SizeOrOff> = Key::new(
    "body_size",
    SizeOrOff::Unbounded,
    "Maximum size of a request body. The smaller value of ApiUser and route applies.",
);

pub(in crate::config) static REQUEST_RATE: Key<RateOrOff> = Key::new(
    "request_rate",
    RateOrOff,
    "Sustained rate of requests, such as `100/s`, `600/m` or `5000/h`. Beyond it requests \
     get 429 with `Retry-After`.",
);

pub(in crate::config) static REQUEST_BURST: Key<IntegerValue> = Key::new(
    "request_burst",
    IntegerValue {
        least: 1,
        most: MOST,
    },
    "Number of requests that may come at once. It needs `request_rate`.",
)
.default_is("the number in `request_rate`");

pub(in crate::config) static CONCURRENCY: Key<IntegerOrOff> = Key::new(
    "concurrency",
    IntegerOrOff { most: MOST },
    "Maximum of concurrent requests, each until its last byte. A tunnel is one request.",
);

pub(in crate::config) static DAILY_QUOTA: Key<IntegerOrOff> = Key::new(
    "daily_quota",
    IntegerOrOff { most: u32::MAX },
    "Maximum of requests in a day (UTC).",
);

pub(in crate::config) static REQUEST_TIME: Key<RequestTime> = Key::new(
    "request_time",
    RequestTime,
    "Maximum time from the request head to the last byte of the response, at least a \
     second. It ends with 408, 504 or a cut response, and does not apply to tunnels. The \
     smaller value of ApiUser and route applies.",
);
