//! Runs the ClickHouse that is in `libchdb.so`, with the arguments of `clickhouse-local`.
//!
//!     LIBCHDB=/path/to/libchdb.so launcher --path DATA --query "…"
//!
//! The query that keeps it going reads standard input until that ends. Here standard input is a
//! pipe whose other end this process holds, and closes at SIGTERM or SIGINT: the query then
//! returns, and ClickHouse ends as it does by itself, with everything written.
//!
//! Only `std` is used, so that `rustc` alone compiles it.

use std::env;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::process::ExitCode;
use std::thread;

/// The result of a query, as the library lays it out.
#[repr(C)]
struct QueryResult {
    text: *const u8,
    length: usize,
    owner: *mut c_void,
    elapsed_seconds: f64,
    rows_read: u64,
    bytes_read: u64,
    error: *const c_char,
}

type Query = extern "C" fn(c_int, *mut *const c_char) -> *mut QueryResult;

/// `sigset_t` of glibc: 1,024 bits.
type SignalSet = [u64; 16];

const RTLD_NOW: c_int = 2;
const SIG_BLOCK: c_int = 0;
const SIGINT: c_int = 2;
const SIGTERM: c_int = 15;

unsafe extern "C" {
    fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlerror() -> *const c_char;
    fn pipe(ends: *mut c_int) -> c_int;
    fn dup2(from: c_int, to: c_int) -> c_int;
    fn close(descriptor: c_int) -> c_int;
    fn sigemptyset(set: *mut SignalSet) -> c_int;
    fn sigaddset(set: *mut SignalSet, signal: c_int) -> c_int;
    fn pthread_sigmask(how: c_int, set: *const SignalSet, before: *mut SignalSet) -> c_int;
    fn sigwait(set: *const SignalSet, signal: *mut c_int) -> c_int;
}

/// Makes standard input a pipe that ends when the process is told to end.
///
/// It is called before any other thread runs: threads inherit the mask, so that the signals reach
/// `sigwait` and nobody else.
fn end_input_at_a_signal() -> Result<(), String> {
    let mut ends = [0; 2];
    let mut set: SignalSet = [0; 16];
    // SAFETY: plain calls of libc with pointers to locals of the sizes that it writes.
    let done = unsafe {
        pipe(ends.as_mut_ptr()) == 0
            && dup2(ends[0], 0) == 0
            && close(ends[0]) == 0
            && sigemptyset(&mut set) == 0
            && sigaddset(&mut set, SIGINT) == 0
            && sigaddset(&mut set, SIGTERM) == 0
            && pthread_sigmask(SIG_BLOCK, &set, std::ptr::null_mut()) == 0
    };
    if !done {
        return Err(format!("standard input: {}", std::io::Error::last_os_error()));
    }
    thread::spawn(move || {
        let mut signal = 0;
        // SAFETY: the set is initialised, and the descriptor is this thread's alone.
        unsafe {
            while sigwait(&set, &mut signal) != 0 {}
            close(ends[1]);
        }
    });
    Ok(())
}

fn load(library: &CStr) -> Result<Query, String> {
    // SAFETY: the library is the one that this program is made for, whose `query_stable_v2` has the
    // type `Query`; `dlerror` gives a string after a failure.
    unsafe {
        let handle = dlopen(library.as_ptr(), RTLD_NOW);
        if handle.is_null() {
            return Err(CStr::from_ptr(dlerror()).to_string_lossy().into_owned());
        }
        let query = dlsym(handle, c"query_stable_v2".as_ptr());
        if query.is_null() {
            return Err("the library has no query_stable_v2".to_owned());
        }
        Ok(std::mem::transmute::<*mut c_void, Query>(query))
    }
}

fn run() -> Result<(), String> {
    let library = env::var("LIBCHDB").map_err(|_| "LIBCHDB must name libchdb.so".to_owned())?;
    let library = CString::new(library).map_err(|error| error.to_string())?;
    let arguments = ["clickhouse-local".to_owned()]
        .into_iter()
        .chain(env::args().skip(1))
        .map(CString::new)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
    let count = c_int::try_from(arguments.len()).map_err(|error| error.to_string())?;
    let mut pointers: Vec<*const c_char> = arguments.iter().map(|argument| argument.as_ptr()).collect();
    pointers.push(std::ptr::null());

    end_input_at_a_signal()?;
    let query = load(&library)?;
    let result = query(count, pointers.as_mut_ptr());
    // SAFETY: a result that is not null is one, and lives until the process ends.
    match unsafe { result.as_ref() } {
        Some(result) if !result.error.is_null() => {
            // SAFETY: an error is a string that ends in a zero.
            Err(unsafe { CStr::from_ptr(result.error) }.to_string_lossy().into_owned())
        }
        _ => Ok(()),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("launcher: {error}");
            ExitCode::FAILURE
        }
    }
}
