"""Makes an event durable: on a stream, or in the local spool until it can be."""
