"""Methods side by side, with the published figures beside ours."""
