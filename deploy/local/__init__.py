"""Everything Courier needs around it on one machine: a broker, a database, customers' servers."""
