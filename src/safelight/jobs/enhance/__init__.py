"""The verb enhance: files and folders, restored and written. `enhance` has the function, `settings` what it takes."""
