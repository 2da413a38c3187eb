"""What partners ask of us: who may, envelope, paging and walls around the modules."""
