# line.rb - Runs a store for tests/clients/run.py: one JSON object a line in,
# one out. See there for what each operation means.
require 'json'

PORT, TTL = ARGV.last(2).map(&:to_i)

def say(answer)
  puts JSON.generate(answer)
  $stdout.flush
end

# Calls the method of store that a line names, with id and value.
def serve(store)
  say(ready: true)
  $stdin.each_line do |line|
    step = JSON.parse(line)
    begin
      say(result: store.public_send(step['op'], step['id'], step['value']))
    rescue StandardError => e
      say(error: e.full_message(highlight: false))
    end
  end
end
