// The plan that the function app runs on. Linux always: Python runs nowhere else.

@description('Name of the plan.')
@minLength(1)
@maxLength(60)
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('FC1 is Flex Consumption, EP1 Elastic Premium; B1 and P0v3 are dedicated.')
@allowed(['FC1', 'EP1', 'B1', 'P0v3'])
param sku string

@description('EP1 only: the most instances that may run.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int

var tiers = {
  FC1: 'FlexConsumption'
  EP1: 'ElasticPremium'
  B1: 'Basic'
  P0v3: 'Premium0V3'
}
var kinds = {
  FC1: 'functionapp'
  EP1: 'elastic'
  B1: 'linux'
  P0v3: 'linux'
}

resource plan 'Microsoft.Web/serverfarms@2023-12-01' = {
  name: name
  location: location
  tags: tags
  kind: kinds[sku]
  sku: {
    name: sku
    tier: tiers[sku]
  }
  properties: {
    reserved: true
    // An Elastic Premium plan takes no more than 100 instances.
    maximumElasticWorkerCount: sku == 'EP1' ? min(maximumInstanceCount, 100) : null
  }
}

@description('Resource id.')
output id string = plan.id
