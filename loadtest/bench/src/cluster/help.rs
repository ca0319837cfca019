//! What each figure of the cluster means.

/// What each figure of the cluster means, as `--help` prints it.
pub(crate) const HELP: &str = "\
THE CLUSTER FORM
With --timescaledb-url and --clickhouse-url the cluster form is measured, on real servers, in
topics and databases of its own that are dropped at the end, after Ctrl-C too. The user of
TimescaleDB has to be allowed to make databases. The newest prices that go to a Redis expire
there after 5 s. --only chooses among the parts:

kafka     'Kafka to durable bars'. --trades trades of 1,000 symbols over half an hour, with
          contiguous ids, lie in the topic. In turn, so that both see the same machine, (a) a
          plain loop of rdkafka reads all partitions with one consumer tuned as ours, decodes,
          folds in floats and keeps nothing; (b) an aggregator folds them into an empty database
          until its progress is at the end. Each is a process of its own. A figure is the trades
          by the process's user and system time since its start, the median of the rounds; the
          budget is the ratio of the two. 'By the clock' is from the start of the process.
producer  A process makes trades, checks, encodes and appends them, 10,000 at once with 4 appends
          under way, as the API does once it has decoded a POST: by the clock from the first
          append to the last acknowledgement, and by the CPU time of that process.
stores    Bars a second that one writer commits to TimescaleDB, 7,000 in a transaction, all new,
          then the same written over; ticks a second that one writer inserts into ClickHouse, in
          blocks of 65,536 of 250 symbols. By the clock, without the making of what is written.
lag       The trades of --lag-seconds at --lag-rate are appended while nothing runs. Then
          aggregator and archiver start at once: seconds until all progress rows, and all the
          archiver's positions, are where the topic ended.
restart   1,000 trades a second flow. An aggregator with --instance is killed and started again at
          once: seconds from the kill until the first of its progress rows moves, and until the
          last has. Then of two aggregators with two instances one is killed and stays away:
          the same of the partitions that it had, which the other takes over.
latency   From before the POST of a trade to the API until a WebSocket client has read the delta
          or the bar with it, through API, Kafka and aggregator: --rate trades a second of 100
          symbols, 100 batches a second, the first 3 of 15 s left out.

Memory is the most that a process held (VmHWM) when its part ended. Build with --release, and
leave the machine alone meanwhile.";
