"""What the commands do, a module for each noun: parse, call one function, print."""
