"""An event becomes durable: on a stream, or in the local spool until it can be."""
