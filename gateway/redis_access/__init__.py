"""Makes connections to Redis and says what their failures mean; knows no key and no entry."""
