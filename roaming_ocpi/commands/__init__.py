"""What drivers of others want at our stations, and ours at theirs: commands, profiles."""
