"""The data set `avatars`: cartoon faces with exactly known attributes, drawn here."""
