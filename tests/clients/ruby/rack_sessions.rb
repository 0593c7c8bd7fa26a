# rack_sessions.rb redis_rack|rails PORT TTL - A Rack application with
# Rack::Session::Redis (redis-rack over redis-store and redis-rb), or with the
# sessions of Rails in its cache (over redis-rb). An id is its cookie.
require_relative 'line'
require 'rack'
require 'rack/mock'
require 'rack/session/redis'
require 'action_dispatch'
require 'active_support/cache/redis_cache_store'

SHOP = lambda do |env|
  session = env['rack.session']
  step = JSON.parse(env['rack.input'].read)
  case step['op']
  when 'create', 'change' then session['value'] = step['value']
  when 'touch' then session['touched'] = Time.now.to_f
  when 'regenerate' then env['rack.session.options'][:renew] = true
  when 'destroy' then env['rack.session.options'][:drop] = true
  end
  [200, {}, [JSON.generate(session['value'])]]
end

def redis_rack
  Rack::Session::Redis.new(
    SHOP,
    redis_server: "redis://127.0.0.1:#{PORT}/0/rack:session",
    expire_after: TTL
  )
end

def rails
  cache = ActiveSupport::Cache::RedisCacheStore.new(
    url: "redis://127.0.0.1:#{PORT}/1",
    error_handler: ->(exception:, **) { raise exception }
  )
  ActionDispatch::Cookies.new(
    ActionDispatch::Session::CacheStore.new(
      SHOP, cache: cache, key: '_shop_session', expire_after: TTL
    )
  )
end

APP = ARGV[0] == 'rails' ? rails : redis_rack

# What a browser would do.
class Sessions
  def ask(operation, id, value)
    options = { input: JSON.generate(op: operation, value: value) }
    options['HTTP_COOKIE'] = id if id
    answer = Rack::MockRequest.new(APP).post('/', options)
    raise "#{answer.status}: #{answer.errors}" unless answer.status == 200

    [answer['Set-Cookie'].to_s.split(';').first, JSON.parse(answer.body)]
  end

  def create(_id, value) = ask('create', nil, value).first
  def read(id, _value) = ask('read', id, nil).last
  def regenerate(id, _value) = ask('regenerate', id, nil).first

  def touch(id, _value)
    ask('touch', id, nil)
    nil
  end

  def change(id, value)
    ask('change', id, value)
    nil
  end

  def destroy(id, _value)
    ask('destroy', id, nil)
    nil
  end
end

serve(Sessions.new)
