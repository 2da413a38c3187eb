-- Which sessions drew most: a list of all of them by their energy, either way round.
CREATE INDEX session_drawn ON session (energy_wh DESC, session_id)
    WHERE energy_wh IS NOT NULL AND state IN ('rated', 'released');
