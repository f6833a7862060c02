# A stand-in for Amazon's SDK for Ruby, which cannot be had where gems cannot: what docs/simulator/ruby.md calls of it,
# written by Amazon Pay's documentation ("signing requests") with the SDK's names. It exists to run that page, and shows
# nothing of how the SDK itself behaves.

require 'base64'
require 'digest'
require 'json'
require 'net/http'
require 'openssl'
require 'time'
require 'uri'

# Addresses and signs requests.
class ClientHelper
  ALGORITHM = 'AMZN-PAY-RSASSA-PSS-V2'.freeze

  def initialize(config)
    @config = config
    @key = OpenSSL::PKey::RSA.new(config.fetch(:private_key))
    @base_url = "https://#{endpoint}/sandbox/v2/"
  end

  def endpoint
    raise 'The stand-in never calls Amazon: AMAZON_PAY_HOST is not set'
  end

  def uri(resource)
    URI("#{@base_url}#{resource}")
  end

  # The headers to send, all of them signed.
  def signed(method, uri, body, headers)
    made = { 'accept' => 'application/json', 'content-type' => 'application/json',
             'x-amz-pay-date' => Time.now.utc.strftime('%Y%m%dT%H%M%SZ'), 'x-amz-pay-host' => uri.host,
             'x-amz-pay-region' => @config.fetch(:region) }
    sent = headers.transform_keys { |name| name.to_s.downcase }.merge(made).sort.to_h
    names = sent.keys.join(';')
    lines = sent.map { |name, value| "#{name}:#{value}\n" }.join
    canonical = [method, uri.path, '', lines, names, Digest::SHA256.hexdigest(body)].join("\n")
    text = "#{ALGORITHM}\n#{Digest::SHA256.hexdigest(canonical)}"
    signature = Base64.strict_encode64(@key.sign_pss('SHA256', text, salt_length: 32, mgf1_hash: 'SHA256'))
    named = "PublicKeyId=#{@config.fetch(:public_key_id)}, SignedHeaders=#{names}, Signature=#{signature}"
    sent.merge('authorization' => "#{ALGORITHM} #{named}")
  end
end

# The operations, each answered with a Net::HTTPResponse.
class AmazonPayClient
  def initialize(config)
    @helper = ClientHelper.new(config)
  end

  def create_checkout_session(payload, headers: {}) = call('POST', 'checkoutSessions', payload, headers)

  def update_checkout_session(id, payload, headers: {}) = call('PATCH', "checkoutSessions/#{id}", payload, headers)

  def complete_checkout_session(id, payload, headers: {})
    call('POST', "checkoutSessions/#{id}/complete", payload, headers)
  end

  def get_charge_permission(id, headers: {}) = call('GET', "chargePermissions/#{id}", nil, headers)

  def close_charge_permission(id, payload, headers: {})
    call('DELETE', "chargePermissions/#{id}/close", payload, headers)
  end

  def create_charge(payload, headers: {}) = call('POST', 'charges', payload, headers)

  def capture_charge(id, payload, headers: {}) = call('POST', "charges/#{id}/capture", payload, headers)

  def create_refund(payload, headers: {}) = call('POST', 'refunds', payload, headers)

  private

  def call(method, resource, payload, headers)
    uri = @helper.uri(resource)
    body = payload.nil? ? '' : JSON.generate(payload)
    request = Net::HTTP.const_get(method.capitalize).new(uri, @helper.signed(method, uri, body, headers))
    request.body = body
    Net::HTTP.start(uri.host, uri.port, use_ssl: true) { |http| http.request(request) }
  end
end
