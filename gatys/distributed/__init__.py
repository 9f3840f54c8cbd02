"""One picture on many processes: a wing that nothing else imports."""
