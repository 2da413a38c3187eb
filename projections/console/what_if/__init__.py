"""What if: drafts of tariffs tried out over months of the past, proposed and approved."""
