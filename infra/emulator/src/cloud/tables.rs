//! Opening the tables' file.

use dynoxide::{Database, DynoxideError, storage::Storage};

/// dynoxide searches its stream records by table and number, on every write to a table with a
/// stream and on every poll, and has no index for it: a write took 10.6 ms after 6,000 others, and
/// 0.5 ms with this. The records are kept for ever.
const STREAM_INDEX: &str = "CREATE INDEX IF NOT EXISTS latchkey_stream_records
    ON _stream_records (table_name, CAST(sequence_number AS INTEGER), shard_id)";

/// Opens the file, made if it is missing.
pub(super) fn open(path: &str) -> Result<Database, DynoxideError> {
    let storage = Storage::new(path)?;
    storage.conn().execute_batch(STREAM_INDEX)?;
    drop(storage);
    Database::new(path)
}
