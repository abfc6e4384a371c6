"""Performance estimation strategies (survey, section 4): one file each, the file name is the public name."""
