"""What tests share: tiny models, data, servers and runs."""
