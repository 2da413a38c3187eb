"""Files that banks give: CAMT as XML, and CSV by a declared layout, read without trust."""
