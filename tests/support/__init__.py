"""What tests of several packages share: waiting, processes, servers, events."""
